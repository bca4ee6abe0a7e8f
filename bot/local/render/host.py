"""One service: builds a commit, starts it, waits until it is healthy, moves the stable port to it and retires the old instance.

One deploy runs at a time; of those that wait only the newest is kept.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

from bot.local.ports import free_port
from bot.local.render.blueprint import BlueprintError, ServiceSpec
from bot.local.render.deploys import Commit, DeployRecord, History, derived_id
from bot.local.render.forwarder import Forwarder
from bot.local.render.git import CheckoutFailed, check_out
from bot.local.render.health import wait_until_healthy
from bot.local.render.process import BoundedLog, ProcessGroup, log_tail

_DRAIN_S = 1.0


@dataclass(frozen=True)
class Limits:
    """How long the steps of a deploy may take, in seconds."""

    build_s: float = 300.0
    healthy_s: float = 60.0
    shutdown_s: float = 5.0  # a laptop is not kept waiting for a blueprint's maxShutdownDelaySeconds
    restart_after_s: float = 0.5


@dataclass(frozen=True)
class _Instance:
    deploy_id: str
    port: int
    process: ProcessGroup
    place: Path
    env: dict[str, str]


class _DeployFailed(Exception):
    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


class ServiceHost:
    """Owns a service's port, its instances and its history."""

    def __init__(
        self,
        spec: ServiceSpec,
        *,
        git_dir: Path,
        workdir: Path,
        environment: Callable[[ServiceSpec, Commit, Path], dict[str, str]],
        clock: Callable[[], float],
        limits: Limits,
    ) -> None:
        self.id = derived_id("srv", spec.name)
        self.spec = spec
        self.auto_deploy = spec.auto_deploy
        self.history = History(spec.name, clock)
        self.created_at_s = clock()
        self.forwarder = Forwarder()
        self._git_dir = git_dir
        self._workdir = workdir / spec.name
        self._environment = environment
        self._limits = limits
        self._live: _Instance | None = None
        self._waiting: str | None = None
        self._worker: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._stopping = False

    def request(self, commit: Commit, trigger: str) -> DeployRecord:
        """Asks for a deploy of this commit; the one that was waiting before is cancelled."""
        busy = self._worker is not None and not self._worker.done()
        deploy = self.history.add(commit, status="queued" if busy else "created", trigger=trigger)
        if self._waiting is not None:
            self.history.set_status(self._waiting, "canceled")
        self._waiting = deploy.id
        if not busy:
            self._worker = asyncio.create_task(self._work())
        return deploy

    async def idle(self) -> None:
        """Returns when no deploy is running or waiting (old instances may still be draining)."""
        while self._worker is not None and not self._worker.done():
            await asyncio.wait({self._worker})
        if self._worker is not None:
            self._worker.result()

    async def stop(self) -> None:
        """Ends everything that this service runs."""
        self._stopping = True
        tasks = {t for t in (self._worker, *self._background) if t is not None}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.forwarder.close()
        if self._live is not None:
            await self._terminate(self._live)
        await _remove(self._workdir / "deploys")

    def log(self, deploy_id: str, limit_bytes: int) -> str:
        return log_tail(self._log_path(deploy_id), limit_bytes)

    def _log_path(self, deploy_id: str) -> Path:
        return self._workdir / "logs" / f"{deploy_id}.log"

    async def _work(self) -> None:
        while self._waiting is not None:
            deploy_id, self._waiting = self._waiting, None
            log = BoundedLog(self._log_path(deploy_id))
            place = self._workdir / "deploys" / deploy_id
            try:
                instance = await self._bring_up(deploy_id, place, log)
            except _DeployFailed as failure:
                log.line(str(failure))
                self.history.set_status(deploy_id, failure.status)
                await _remove(place)
            else:
                self._go_live(instance, log)

    async def _bring_up(self, deploy_id: str, place: Path, log: BoundedLog) -> _Instance:
        """Checkout, build, start, health check. Raises `_DeployFailed` and leaves no process then."""
        spec, deploy = self.spec, self.history.set_status(deploy_id, "build_in_progress")
        log.line(f"Checking out {deploy.commit.id}")
        try:
            await check_out(self._git_dir, deploy.commit.id, place / "src")
            (place / "home").mkdir()
            env = self._environment(spec, deploy.commit, place / "home")
            await self._build(spec.build_command, place / "src" / spec.root_dir, env, log)
        except (CheckoutFailed, BlueprintError, OSError) as error:
            raise _DeployFailed("build_failed", str(error)) from error
        self.history.set_status(deploy_id, "update_in_progress")
        return await self._start(deploy_id, spec, place, env, log)

    async def _build(self, command: str, cwd: Path, env: dict[str, str], log: BoundedLog) -> None:
        log.line(f"Running build command: {command}")
        process = await ProcessGroup.spawn(command, cwd=cwd, env=env, log=log)
        try:
            async with asyncio.timeout(self._limits.build_s):
                code = await process.wait()
        except TimeoutError as error:
            raise _DeployFailed("build_failed", f"Build did not end within {self._limits.build_s:g} s") from error
        finally:
            await process.kill()
        if code:
            raise _DeployFailed("build_failed", f"Build command exited with {code}")

    async def _start(self, deploy_id: str, spec: ServiceSpec, place: Path, env: dict[str, str], log: BoundedLog) -> _Instance:
        port = free_port()
        log.line(f"Running start command: {spec.start_command}")
        try:
            process = await ProcessGroup.spawn(
                spec.start_command, cwd=place / "src" / spec.root_dir, env={**env, "PORT": str(port)}, log=log
            )
        except OSError as error:
            raise _DeployFailed("update_failed", str(error)) from error
        healthy = asyncio.create_task(wait_until_healthy(port, spec.health_check_path, limit_s=self._limits.healthy_s))
        exited = asyncio.create_task(process.wait())
        ready = False
        try:
            await asyncio.wait({healthy, exited}, return_when=asyncio.FIRST_COMPLETED)
            if exited.done():
                raise _DeployFailed("update_failed", f"Start command exited with {exited.result()} before it was healthy")
            if not healthy.result():
                raise _DeployFailed(
                    "update_failed", f"{spec.health_check_path or 'The port'} was not healthy within {self._limits.healthy_s:g} s"
                )
            ready = True
        finally:
            healthy.cancel()
            exited.cancel()
            if not ready:
                await process.kill()
        return _Instance(deploy_id, port, process, place, env)

    def _go_live(self, instance: _Instance, log: BoundedLog) -> None:
        old, self._live = self._live, instance
        self.forwarder.switch(instance.port)
        if old is not None:
            self.history.set_status(old.deploy_id, "deactivated")
            self._spawn(self._retire(old))
        self.history.set_status(instance.deploy_id, "live")
        log.line("Your service is live")
        self._spawn(self._keep_running(instance, log))

    async def _retire(self, instance: _Instance) -> None:
        try:
            await self.forwarder.drain(instance.port, _DRAIN_S)
        finally:
            await self._terminate(instance)
            await _remove(instance.place)

    async def _terminate(self, instance: _Instance) -> None:
        await instance.process.stop(min(self.spec.shutdown_s, self._limits.shutdown_s))

    async def _keep_running(self, instance: _Instance, log: BoundedLog) -> None:
        """Starts a crashed live instance again from the same build, as Render does."""
        pause_s = self._limits.restart_after_s
        while True:
            code = await instance.process.wait()
            if self._live is not instance or self._stopping:
                return
            log.line(f"Instance exited with {code}; starting it again in {pause_s:g} s")
            await instance.process.kill()
            await asyncio.sleep(pause_s)
            if self._live is not instance:
                return
            pause_s = min(pause_s * 2, 30.0)
            try:
                fresh = await self._start(instance.deploy_id, self.spec, instance.place, instance.env, log)
            except _DeployFailed as failure:
                log.line(str(failure))
                continue
            if self._live is not instance:
                await fresh.process.kill()
                return
            self._live = instance = fresh
            self.forwarder.switch(fresh.port)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


async def _remove(place: Path) -> None:
    """In a thread: on some disks each of many hundred files takes milliseconds, and GitHub answers on this loop."""
    await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
