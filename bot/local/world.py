"""The laptop's whole world, joined: GitHub, Actions and Render in this process; the control plane and its traffic as children."""

from __future__ import annotations

import random
import secrets
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bot.adapters.clock import SystemClock
from bot.adapters.github import GitHubForge
from bot.adapters.github.transport import Transport
from bot.errors import Refused
from bot.local.actions import EmbeddedActions
from bot.local.chaos import Chaos, chaos_app
from bot.local.contracts import RunnerSettings
from bot.local.github import EmbeddedGitHub
from bot.local.ports import claim_port
from bot.local.process import ChildProcess
from bot.local.render import EmbeddedRender
from bot.local.seed import ROOT, copy_tree
from bot.local.server import LoopbackServer
from bot.local.warden import Warden
from bot.record import Keyring
from bot.tls import trusted

OWNER = "casey"
DEVELOPER = "robin"
REPOSITORY = "insurance-marketplace"
CONTROL_PLANE = "sre-space"  # the blueprint's own service: run as a child, not by the embedded Render
SERVE_START_S = 15.0
REQUIRED_CHECK = "guardrail"
RATE_LIMIT = 500_000  # requests an hour: a demo looks twice a second, a real installation every ten


@dataclass(frozen=True)
class WorldSettings:
    workdir: Path
    port: int = 8001
    github_port: int = 8002
    seed: int | None = None  # of the dice; None: real dice
    bot_is_owner: bool = False  # with a personal access token the bot writes as the owner
    rps: float = 10.0
    lock_list: Path = field(default=ROOT / ".venv" / "installed-locks")
    model: Mapping[str, str] = field(default_factory=dict)  # OPENAI_API_KEY / OPENAI_BASE_URL for the jobs that think
    change_tree: Callable[[Path], None] | None = None  # tests change the tree before it is committed


class World:
    """`start` brings everything up, `stop` ends every process. Tokens and keys are made anew for each world."""

    def __init__(self, settings: WorldSettings) -> None:
        self.settings = settings
        self.clock = SystemClock()
        self.bot_login = OWNER if settings.bot_is_owner else "sre-space[bot]"
        self.marker_key, self.feed_key, self.ingest_token, self.webhook_secret, self.controls_token, self.render_key = (
            secrets.token_hex(16) for _ in range(6)
        )
        self.keyring = Keyring(self.marker_key.encode(), f"{OWNER}/{REPOSITORY}")
        self.github = EmbeddedGitHub(self._folder("github"), owner=OWNER, name=REPOSITORY, clock=self.clock.now, rate_limit=RATE_LIMIT)
        self._github_server = LoopbackServer(self.github.app, port=settings.github_port)
        self._stack = AsyncExitStack()
        claim = claim_port(settings.port)
        self._stack.callback(claim.release)
        self.url = f"http://127.0.0.1:{claim.port}"

    async def start(self, say: Callable[[str], None]) -> None:
        """`say` gets one line for each thing that is up. Raises Refused when something does not come up; then everything is down again."""
        try:
            warden = Warden()
            await warden.start()
            self._stack.push_async_callback(warden.dismiss)
            await self._start_github()
            say(f"GitHub (embedded) at {self.github.web_url}/{self.github.full_name}")
            await self._start_actions()
            await self._start_render()
            say(f"Insurance Marketplace deployed at {self.marketplace_url}")
            await self._start_chaos()
            self.serve = self._serve_process()
            await self.start_serve()
            self._stack.push_async_callback(self._stop_serve)
            say(f"SRE-Space is watching; monitor at {self.url}")
            traffic = self._python("userplane.traffic", "traffic", "--url", self.marketplace_url, "--rps", str(self.settings.rps))
            await traffic.start()
            self._stack.push_async_callback(traffic.stop)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        await self._stack.aclose()

    # --- the parts ---

    async def _start_github(self) -> None:
        self.tree = self._folder("tree")
        copy_tree(self.tree)
        if self.settings.change_tree:
            self.settings.change_tree(self.tree)
        self.github.seed(self.tree, author=OWNER, message="Insurance Marketplace, with SRE-Space looking after it")
        self.github.add_user(OWNER, "admin")
        self.github.add_user(DEVELOPER, "write")
        if not self.settings.bot_is_owner:
            self.github.add_user(self.bot_login, "write", kind="Bot")
        await self._github_server.start()
        self._stack.push_async_callback(self.github.close)
        self._stack.push_async_callback(self._github_server.stop)
        self.github.bind(self._github_server.url)
        self.github.protect(self.github.default_branch, required_checks=[REQUIRED_CHECK])
        self.bot_token = self.github.issue_token(self.bot_login)
        self.owner = await self.forge_of(OWNER)
        self.developer = await self.forge_of(DEVELOPER)
        headers = {"Authorization": f"Bearer {self.github.issue_token(OWNER)}"}
        async with httpx.AsyncClient(trust_env=False, verify=trusted(self.github.api_url), headers=headers) as client:
            config = {"url": f"{self.url}/webhooks/github", "secret": self.webhook_secret, "content_type": "json"}
            hook = {"name": "web", "active": True, "events": ["*"], "config": config}
            (await client.post(f"{self.github.api_url}/repos/{self.github.full_name}/hooks", json=hook)).raise_for_status()

    async def forge_of(self, login: str) -> GitHubForge:
        """GitHub as that person uses it."""
        transport = Transport(token=self.github.issue_token(login), api_url=self.github.api_url, clock=self.clock, write_interval_s=0.0)
        return GitHubForge(await self._stack.enter_async_context(transport), self.github.full_name)

    async def _start_actions(self) -> None:
        secrets_of_environment = {
            "SRE_GITHUB_TOKEN": self.bot_token,
            "SRE_MARKER_KEY": self.marker_key,
            "SRE_FEED_KEY": self.feed_key,
        }
        if key := self.settings.model.get("OPENAI_API_KEY"):
            secrets_of_environment["OPENAI_API_KEY"] = key
        variables = {"SRE_BOT_LOGIN": self.bot_login, "SRE_FEED_URL": f"{self.url}/api/events"}
        if base := self.settings.model.get("OPENAI_BASE_URL"):
            variables["OPENAI_BASE_URL"] = base
        runner = RunnerSettings(
            workdir=self._folder("actions"),
            python=sys.executable,
            secrets={"sre-space": secrets_of_environment},
            variables=variables,
            installed_locks=self._installed_locks(),
        )
        self.actions = EmbeddedActions(self.github, runner, clock=self.clock.now)
        self.github.set_actions(self.actions)
        await self.actions.start()
        self._stack.push_async_callback(self.actions.stop)

    async def _start_render(self) -> None:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{self.ingest_token}",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "ENGINEERING_CONTROLS_TOKEN": self.controls_token,
            "MARKETPLACE_DB": str(self._folder("data") / "marketplace.sqlite3"),
        }
        self.render = EmbeddedRender(
            self.github,
            workdir=self._folder("render"),
            python=sys.executable,
            exclude={CONTROL_PLANE},
            env=env,
            installed_locks=self._installed_locks(),
            clock=self.clock.now,
            api_key=self.render_key,
        )
        self._render_server = LoopbackServer(self.render.app)
        await self._render_server.start()
        self._stack.push_async_callback(self._render_server.stop)
        self._stack.push_async_callback(self.render.stop)
        await self.render.start()
        self.marketplace_url = next(url for name, url in self.render.urls.items() if name not in self._third_parties())

    def _third_parties(self) -> Mapping[str, str]:
        """The services that are other companies' and have engineering controls: the carriers."""
        return {host.spec.name: self.render.urls[host.spec.name] for host in self.render.hosts if "carriers" in host.spec.start_command}

    async def _start_chaos(self) -> None:
        rng = random.Random(self.settings.seed) if self.settings.seed is not None else random.SystemRandom()
        self.chaos = Chaos(self.developer, self._third_parties, controls_token=self.controls_token, clock=self.clock, rng=rng)
        self._chaos_server = LoopbackServer(chaos_app(self.chaos, self.controls_token))
        await self._chaos_server.start()
        self._stack.push_async_callback(self._chaos_server.stop)

    # --- the control plane ---

    def _serve_process(self) -> ChildProcess:
        env = {
            "PORT": self.url.rpartition(":")[2],
            "SRE_GITHUB_TOKEN": self.bot_token,
            "SRE_REPOSITORY": self.github.full_name,
            "SRE_BOT_LOGIN": self.bot_login,
            "GITHUB_API_URL": self.github.api_url,
            "GITHUB_SERVER_URL": self.github.web_url,
            "SRE_WEBHOOK_SECRET": self.webhook_secret,
            "SRE_MARKER_KEY": self.marker_key,
            "SRE_INGEST_TOKEN": self.ingest_token,
            "SRE_FEED_KEY": self.feed_key,
            "SRE_DEMO_CONTROLS_URL": self._chaos_server.url,
            "SRE_DEMO_CONTROLS_TOKEN": self.controls_token,
        }
        return self._python("bot", "serve", env=env)

    async def start_serve(self) -> None:
        """Starts (or, after a kill, restarts) the control plane and waits until it answers. Raises Refused with its log otherwise."""
        await self.serve.start()
        deadline_s = self.clock.now() + SERVE_START_S
        async with httpx.AsyncClient(trust_env=False, timeout=2.0, verify=trusted(self.url)) as client:
            while True:
                try:
                    if (await client.get(f"{self.url}/healthz")).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                if not self.serve.running or self.clock.now() > deadline_s:
                    tail = self.serve.log.read_text(errors="replace")[-2000:]
                    raise Refused(f"the control plane does not answer at {self.url}. Its log ends with:\n{tail}")
                await self.clock.sleep(0.05)

    async def _stop_serve(self) -> None:
        await self.serve.stop()

    # --- small things ---

    def _python(self, module: str, name: str, *arguments: str, env: Mapping[str, str] | None = None) -> ChildProcess:
        """`python -m module` from the seeded tree, with a minimal environment and its output in logs/."""
        base = {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin", "HOME": str(self._folder("home")), "LANG": "C.UTF-8"}
        words = (name, *arguments) if module == "bot" else arguments
        return ChildProcess(
            [sys.executable, "-m", module, *words],
            cwd=self.tree,
            env={**base, "PYTHONUNBUFFERED": "1", **(env or {})},
            log=self._folder("logs") / f"{name}.log",
        )

    def _installed_locks(self) -> list[str]:
        if not self.settings.lock_list.is_file():
            raise Refused(f"{self.settings.lock_list.name} is missing beside the virtual environment: run `make setup` first")
        return self.settings.lock_list.read_text(encoding="ascii").split()

    def _folder(self, name: str) -> Path:
        path = self.settings.workdir / name
        path.mkdir(parents=True, exist_ok=True)
        return path


def fresh_workdir(root: Path, name: str = "demo") -> Path:
    """`.sre/NAME` below `root`, emptied: a demo starts from nothing."""
    workdir = root / ".sre" / name
    shutil.rmtree(workdir, ignore_errors=True)
    workdir.mkdir(parents=True)
    return workdir
