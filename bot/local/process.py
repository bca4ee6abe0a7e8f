"""A child process in a session of its own, so that stopping it stops all that it started; its output goes to a file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

STOP_GRACE_S = 4.0


class ChildProcess:
    """Started by `start`, ended by `stop` (SIGTERM, then SIGKILL) or `kill` (SIGKILL at once)."""

    def __init__(self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> None:
        self._argv = tuple(argv)
        self._cwd = cwd
        self._env = dict(env)
        self.log = log
        self._process: asyncio.subprocess.Process | None = None
        self.rss_peak_mib = 0.0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv, cwd=self._cwd, env=self._env, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    async def stop(self) -> None:
        self.sample_memory()
        self._signal(signal.SIGTERM)
        if self._process is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), STOP_GRACE_S)
        await self.kill()

    async def kill(self) -> None:
        """SIGKILL to the whole process group: nobody gets to say goodbye."""
        self.sample_memory()
        self._signal(signal.SIGKILL)
        if self._process is not None:
            await self._process.wait()

    def sample_memory(self) -> float:
        """The peak so far in MiB: the kernel's high-water mark on Linux, elsewhere the largest sample."""
        if self.running and self.pid is not None:
            with contextlib.suppress(psutil.Error):
                self.rss_peak_mib = max(self.rss_peak_mib, peak_rss_mib(self.pid))
        return self.rss_peak_mib

    def _signal(self, number: int) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)


def peak_rss_mib(pid: int) -> float:
    """VmHWM where /proc has it, else the present RSS. Raises psutil.Error when the process is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return float(psutil.Process(pid).memory_info().rss) / 1024 / 1024
