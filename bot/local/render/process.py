"""A shell command as a process group of its own: its output goes to a bounded log, and stopping it leaves none of it behind."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path

_KEPT_BYTES = 256 * 1024
_GONE_POLL_S = 0.01
_STRAGGLER_S = 0.5  # for children that outlive the leader
_LOG_END_S = 2.0


class BoundedLog:
    """Appends to a file; when it is full it becomes `NAME.1` (which is replaced), so about 2 * `limit_bytes` stay on disk."""

    def __init__(self, path: Path, limit_bytes: int = _KEPT_BYTES) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        path.parent.mkdir(parents=True, exist_ok=True)
        self._size_bytes = path.stat().st_size if path.exists() else 0

    def write(self, data: bytes) -> None:
        if self._size_bytes + len(data) > self._limit_bytes:
            if self._path.exists():
                self._path.replace(_older(self._path))
            self._size_bytes = 0
            data = data[-self._limit_bytes :]
        with self._path.open("ab") as file:
            file.write(data)
        self._size_bytes += len(data)

    def line(self, text: str) -> None:
        self.write(f"==> {text}\n".encode())


def log_tail(path: Path, limit_bytes: int) -> str:
    """The last `limit_bytes` of a `BoundedLog`; empty when nothing was written."""
    parts = [p.read_bytes() for p in (_older(path), path) if p.exists()]
    return b"".join(parts)[-limit_bytes:].decode("utf-8", "replace")


def _older(path: Path) -> Path:
    return path.with_name(path.name + ".1")


class ProcessGroup:
    """A running `sh -c COMMAND`, its children included (they share a session)."""

    def __init__(self, process: asyncio.subprocess.Process, pump: asyncio.Task[None]) -> None:
        self._process = process
        self._pump = pump
        self._gone = False  # its number may belong to somebody else by now

    @classmethod
    async def spawn(cls, command: str, *, cwd: Path, env: Mapping[str, str], log: BoundedLog) -> ProcessGroup:
        """Raises `OSError` when the directory or the shell is missing.

        The output pipe is ours and not asyncio's, whose `wait()` would not return before every child has closed it.
        """
        read_end, write_end = os.pipe()
        stream = asyncio.StreamReader()
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(read_end, "rb", buffering=0)
        )
        try:
            process = await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", command),
                cwd=cwd,
                env=dict(env),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=write_end,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except BaseException:
            pipe.close()
            raise
        finally:
            os.close(write_end)
        return cls(process, asyncio.create_task(_pump(stream, pipe, log)))

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait(self) -> int:
        return await self._process.wait()

    async def stop(self, grace_s: float) -> None:
        """SIGTERM to all, SIGKILL after `grace_s` to what is left; the whole group is gone afterwards, cancelled or not."""
        if not self._gone:
            self._gone = not _signal_group(self.pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_s):
                await self._process.wait()
            async with asyncio.timeout(_STRAGGLER_S):
                await _group_gone(self.pid)
            self._gone = True
        except TimeoutError:
            pass  # kill() ends what did not listen
        finally:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL to the whole group."""
        if not self._gone:
            self._gone = not _signal_group(self.pid, signal.SIGKILL)
        await self._process.wait()
        await self._finish_log()

    async def _finish_log(self) -> None:
        """The pipe closes with its last writer; a writer that left the group must not keep us."""
        await asyncio.wait({self._pump}, timeout=_LOG_END_S)
        if not self._pump.done():
            self._pump.cancel()
            await asyncio.wait({self._pump})


async def _pump(stream: asyncio.StreamReader, pipe: asyncio.ReadTransport, log: BoundedLog) -> None:
    try:
        while data := await stream.read(65_536):
            log.write(data)
    finally:
        pipe.close()


def _signal_group(pgid: int, number: int) -> bool:
    """False when no process of the group is left."""
    try:
        os.killpg(pgid, number)
    except ProcessLookupError:
        return False
    return True


async def _group_gone(pgid: int) -> None:
    while _signal_group(pgid, 0):  # noqa: ASYNC110 - they are not our children, nobody tells us
        await asyncio.sleep(_GONE_POLL_S)
