"""The whole embedded Render: reads the blueprint at main, deploys from pushes, and gives every service one lasting address."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from starlette.applications import Starlette

from bot.errors import Refused
from bot.local.contracts import Json, RepoEvent, Repository
from bot.local.render.api import make_app
from bot.local.render.blueprint import FILE_NAME, Blueprint, BlueprintError, ServiceSpec, parse_blueprint
from bot.local.render.deploys import Commit, DeployRecord
from bot.local.render.environment import Environments, process_environment
from bot.local.render.git import read_commit
from bot.local.render.host import Limits, ServiceHost
from bot.local.render.process import BoundedLog

_SKIP = re.compile(r"\[(?:skip (?:render|deploy|cd)|(?:render|deploy|cd) skip)\]", re.IGNORECASE)
_TAIL_BYTES = 4_000


class EmbeddedRender:
    """Render for one repository on loopback. `exclude` names the blueprint's services that are not run here.

    `env` is given to every service on top of the blueprint; `installed_locks` (sha256 of lock files) lets build commands skip
    what `python` has installed. Raises nothing after `start()`: a deploy that fails says so in its status and its log.
    """

    def __init__(
        self,
        repo: Repository,
        *,
        workdir: Path,
        python: str,
        exclude: Collection[str],
        env: Mapping[str, str],
        installed_locks: Sequence[str],
        clock: Callable[[], float],
        api_key: str,
        limits: Limits | None = None,
        new_secret: Callable[[], str] = lambda: secrets.token_urlsafe(32),
    ) -> None:
        self._repo = repo
        self._workdir = workdir.absolute()
        self._python = Path(python).absolute()
        self._exclude = frozenset(exclude)
        self._env = {"SRE_INSTALLED_LOCKS": " ".join(installed_locks), **env}
        self._clock = clock
        self._limits = limits or Limits()
        self._new_secret = new_secret
        self._generated: dict[tuple[str, str], str] = {}
        self._hosts: dict[str, ServiceHost] = {}
        self._environments: Environments | None = None
        self._turn = asyncio.Lock()
        self._stopped = False
        self.blueprint_error: str | None = None  # why the newest render.yaml could not be applied
        self.app: Starlette = make_app(self, api_key=api_key)

    # -- life ----------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Deploys every service from main, needed ones first. Raises `BlueprintError`, or `Refused` when one does not get live."""
        commit = await self._head()
        blueprint = self._read_blueprint(commit)
        await self._apply(blueprint)
        self._repo.subscribe(self._on_event)
        try:
            for group in blueprint.start_order():
                hosts = [self._hosts[spec.name] for spec in group]
                for host in hosts:
                    host.request(commit, "blueprint_sync")
                await asyncio.gather(*(host.idle() for host in hosts))
                self._require_live(hosts)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ends every process and removes every checkout; logs stay."""
        self._stopped = True
        await asyncio.gather(*(host.stop() for host in self._hosts.values()))

    async def idle(self) -> None:
        """Returns when no deploy is running or waiting."""
        async with self._turn:
            hosts = tuple(self._hosts.values())
        await asyncio.gather(*(host.idle() for host in hosts))

    def _require_live(self, hosts: Sequence[ServiceHost]) -> None:
        for host in hosts:
            if host.history.live() is None:
                newest = host.history.newest_first()[0]
                tail = host.log(newest.id, _TAIL_BYTES).strip()
                raise Refused(f"The first deploy of {host.spec.name} ended as {newest.status}. Its log ends with:\n{tail}")

    # -- what others ask -----------------------------------------------------------------------------------------------

    @property
    def urls(self) -> Mapping[str, str]:
        """Service name -> its address, the same for all its deploys."""
        return {name: f"http://127.0.0.1:{host.forwarder.port}" for name, host in self._hosts.items()}

    @property
    def hosts(self) -> tuple[ServiceHost, ...]:
        return tuple(self._hosts.values())

    @property
    def repository(self) -> Repository:
        return self._repo

    def deploys(self, service: str) -> tuple[DeployRecord, ...]:
        """A service's deploys, newest first. `KeyError` for an unknown service."""
        return self._hosts[service].history.newest_first()

    def log(self, service: str, deploy_id: str | None = None, *, limit_bytes: int = 20_000) -> str:
        """The end of a deploy's build and service log; of the newest deploy when none is named."""
        host = self._hosts[service]
        return host.log(deploy_id or host.history.newest_first()[0].id, limit_bytes)

    async def commit(self, ref: str) -> Commit | None:
        """The commit behind a branch, ref or sha, if the repository has it."""
        sha = self._repo.resolve(ref)
        return None if sha is None else await read_commit(self._repo.git_dir, sha)

    # -- pushes --------------------------------------------------------------------------------------------------------

    async def _on_event(self, event: RepoEvent) -> None:
        payload = event.payload
        if event.name == "push" and payload.get("ref") == f"refs/heads/{self._repo.default_branch}" and not payload.get("deleted"):
            async with self._turn:
                if not self._stopped:
                    await self._on_push(payload)

    async def _on_push(self, payload: Json) -> None:
        commit = await read_commit(self._repo.git_dir, payload["after"])
        before = payload.get("before") or ""
        changed = self._repo.changed_paths(before if before.strip("0") else None, commit.id)
        redefined = await self._sync(commit) if FILE_NAME in changed else frozenset[str]()
        skip = _SKIP.search(commit.message) is not None
        for host in self._hosts.values():
            if host.spec.name in redefined:
                host.request(commit, "blueprint_sync")
            elif host.auto_deploy and not skip and host.spec.build_filter.wants(changed):
                host.request(commit, "new_commit")

    async def _sync(self, commit: Commit) -> frozenset[str]:
        """Applies a changed blueprint; returns the services that are new or defined anew. A bad one changes nothing."""
        try:
            return await self._apply(self._read_blueprint(commit))
        except BlueprintError as error:
            self.blueprint_error = str(error)
            BoundedLog(self._workdir / "blueprint.log").line(f"{commit.id}: {error}")
            return frozenset()

    def _read_blueprint(self, commit: Commit) -> Blueprint:
        text = self._repo.read_file(commit.id, FILE_NAME)
        if text is None:
            raise BlueprintError(f"{commit.id} has no {FILE_NAME} at its root")
        try:
            decoded = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BlueprintError(f"{FILE_NAME} is not UTF-8") from error
        return parse_blueprint(decoded, exclude=self._exclude, default_branch=self._repo.default_branch)

    async def _apply(self, blueprint: Blueprint) -> frozenset[str]:
        """Services that left the file keep running, as on Render."""
        kept = tuple(h.spec for n, h in self._hosts.items() if n not in {s.name for s in blueprint.services})
        merged = Blueprint((*blueprint.services, *kept), blueprint.elsewhere)
        fresh = {s.name: self._new_host(s) for s in blueprint.services if s.name not in self._hosts}
        try:
            await asyncio.gather(*(host.forwarder.open() for host in fresh.values()))
            ports = {name: host.forwarder.port for name, host in {**self._hosts, **fresh}.items()}
            environments = Environments(merged, ports, given=self._env, new_secret=self._new_secret, generated=self._generated)
            for spec in merged.services:
                environments.resolve(spec.name)
        except BaseException:
            await asyncio.gather(*(host.forwarder.close() for host in fresh.values()))
            raise
        redefined = set(fresh)
        self._hosts.update(fresh)
        for spec in blueprint.services:
            host = self._hosts[spec.name]
            if host.spec != spec:
                redefined.add(spec.name)
                host.auto_deploy = spec.auto_deploy if spec.auto_deploy != host.spec.auto_deploy else host.auto_deploy
                host.spec = spec
        self._environments = environments
        self.blueprint_error = None
        return frozenset(redefined)

    def _new_host(self, spec: ServiceSpec) -> ServiceHost:
        return ServiceHost(
            spec, git_dir=self._repo.git_dir, workdir=self._workdir, environment=self._environment, clock=self._clock, limits=self._limits
        )

    def _environment(self, spec: ServiceSpec, commit: Commit, home: Path) -> dict[str, str]:
        assert self._environments is not None
        return process_environment(
            self._hosts[spec.name].id,
            spec,
            commit,
            resolved=self._environments.resolve(spec.name),
            url=self._environments.url(spec.name),
            branch=self._repo.default_branch,
            python=self._python,
            home=home,
        )

    async def _head(self) -> Commit:
        branch = self._repo.default_branch
        commit = await self.commit(branch)
        if commit is None:
            raise BlueprintError(f"branch {branch} does not exist in {self._repo.full_name}")
        return commit
