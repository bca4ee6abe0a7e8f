"""Engineering controls of the laptop: what goes wrong, and who made it go wrong. Only here does anybody know the injected type."""

from __future__ import annotations

import asyncio
import hmac
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.adapters.github import GitHubForge
from bot.errors import Refused
from bot.local.releases import PAGES, PRICING, Release, bad_release, harmless_releases
from bot.ports import Clock
from bot.tls import trusted

HANG_S = 20.0
LANDING_TIMEOUT_S = 120.0  # for all releases of one fault together; bot/web/demo.py waits a little longer than this
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Injected:
    """What was done, for the report alone. `culprit`: the dependency or commit that the loop should name by itself."""

    fault: str
    at_s: float
    culprit: str


class Chaos:
    """The two faults of the demo. `dependencies`: name to address of the third parties whose answers can be made to hang."""

    def __init__(
        self,
        developer: GitHubForge,
        dependencies: Callable[[], Mapping[str, str]],
        *,
        controls_token: str,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._developer = developer
        self._dependencies = dependencies
        self._headers = {"Authorization": f"Bearer {controls_token}"}
        self._clock = clock
        self._rng = rng
        self._hanging: list[str] = []
        self._landing = asyncio.Lock()
        self.done: list[Injected] = []
        self.faults: Mapping[str, Callable[[], Awaitable[Injected]]] = {
            "dependency-timeout": self._dependency_timeout,
            "500": self._bad_release,
        }

    async def inject(self, fault: str) -> Injected:
        """Raises Refused for an unknown fault, naming the known ones."""
        if fault not in self.faults:
            raise Refused(f"there is no such fault; known are: {', '.join(self.faults)}")
        injected = await self.faults[fault]()
        self.done.append(injected)
        return injected

    async def _dependency_timeout(self) -> Injected:
        healthy = sorted(set(self._dependencies()) - set(self._hanging))
        if not healthy:
            raise Refused("every dependency hangs already")
        name = self._rng.choice(healthy)
        url = f"{self._dependencies()[name]}/controls/latency"
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, verify=trusted(url)) as client:
            (await client.post(url, json={"seconds": HANG_S}, headers=self._headers)).raise_for_status()
        self._hanging.append(name)
        return Injected("dependency-timeout", self._clock.now(), name)

    async def _bad_release(self) -> Injected:
        """Another developer lands a bad release, and two harmless ones after it, each as the protected branch allows."""
        async with self._landing:
            deadline_s = self._clock.now() + LANDING_TIMEOUT_S
            _, read = await self._main()
            sha = await self._merge(*await self._open(bad_release(read)), deadline_s)
            injected = Injected("500", self._clock.now(), sha)
            _, read = await self._main()
            for release in await asyncio.gather(*(self._open(release) for release in harmless_releases(read))):
                await self._merge(*release, deadline_s)
            return injected

    async def _main(self) -> tuple[str, Callable[[str], str]]:
        head = await self._developer.branch_sha(await self._developer.default_branch())
        if head is None:
            raise Refused("the repository has no default branch")
        texts: dict[str, str] = {}
        for path in (PAGES, PRICING):
            text = await self._developer.read_file(path, head)
            if text is not None:
                texts[path] = text
        return head, lambda path: texts[path]

    async def _open(self, release: Release) -> tuple[int, str, str]:
        """A branch, a commit and a pull request, as a developer would make them."""
        main = await self._developer.default_branch()
        head = await self._developer.branch_sha(main)
        me = await self._developer.me()
        at_s = self._clock.now()
        sha = await self._developer.create_commit(
            parent=head or "",
            changes=dict(release.changes),
            message=f"{release.title}\n\n{release.body}\n",
            author_name=me.login,
            author_email=f"{me.login}@users.noreply.github.com",
            at_s=at_s,
        )
        branch = f"{me.login}/{release.slug}-{int(at_s)}"
        await self._developer.create_branch(branch, sha)
        pull = await self._developer.create_pull(branch=branch, base=main, title=release.title, body=release.body)
        return pull.number, sha, release.title

    async def _merge(self, number: int, sha: str, title: str, deadline_s: float) -> str:
        """Waits for the required check, then merges: nobody pushes to a protected branch."""
        while not any(c.conclusion == "success" for c in await self._developer.check_runs(sha) if c.name == "guardrail"):
            if self._clock.now() > deadline_s:
                raise Refused(f"the guardrail check of #{number} did not pass within {LANDING_TIMEOUT_S:.0f} s")
            await self._clock.sleep(0.1)
        return await self._developer.merge(number, sha=sha, title=f"{title} (#{number})", message="")


def chaos_app(chaos: Chaos, token: str) -> Starlette:
    """`POST /inject-failure?type=…` with the bearer token."""

    async def inject(request: Request) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), token.encode()):
            return JSONResponse(
                {"error": "the bearer token is missing or wrong", "do": "use the control plane's /demo/inject-failure"}, 401
            )
        fault = request.query_params.get("type", "")
        if fault not in chaos.faults:
            known = ", ".join(chaos.faults)
            return JSONResponse({"error": "there is no such fault", "do": f"choose a type: {known}"}, 422)
        try:
            injected = await chaos.inject(fault)
        except Refused as problem:
            return JSONResponse({"error": str(problem), "do": "wait for the loop to heal what is broken"}, 409)
        return JSONResponse({"injected": injected.fault, "at_s": injected.at_s})

    return Starlette(routes=[Route("/inject-failure", inject, methods=["POST"])])
