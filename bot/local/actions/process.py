"""Runs one child process in a session of its own and leaves nothing of it behind: not on a time-out, a cancel or an error."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

GRACE_S = 0.5  # between SIGTERM and SIGKILL
DRAIN_S = 0.25  # for output that a background process may still hold open
LINE_BYTES = 64 * 1024


def _signal_group(group: int, number: int) -> bool:
    """Whether the group still had a process to signal."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a group of zombies
        return False
    return True


class Children:
    """The child processes of one job. `close()` kills what steps left running in the background."""

    def __init__(self) -> None:
        self._leftovers: set[int] = set()
        self._readers: set[asyncio.Task[None]] = set()
        self._transports: list[asyncio.ReadTransport] = []

    async def run(self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], line: Callable[[str], None]) -> int:
        """Runs to the end and gives the exit code; `line` gets each line of stdout and stderr.

        Cancelled, it ends the whole process group first (SIGTERM, then SIGKILL). Raises OSError when the command can't start.
        """
        stream, write_end = await self._pipe()
        try:
            process = await _start(argv, cwd, env, write_end)
        finally:
            os.close(write_end)
        reader = asyncio.create_task(_read_lines(stream, line))
        self._readers.add(reader)
        try:
            returncode = await process.wait()
        except asyncio.CancelledError:
            await _end_group(process)
            raise
        if _signal_group(process.pid, 0):
            self._leftovers.add(process.pid)
        await asyncio.wait({reader}, timeout=DRAIN_S)
        return returncode

    async def close(self) -> None:
        """Kills the processes that outlived their step; safe to call twice."""
        for group in self._leftovers:
            _signal_group(group, signal.SIGKILL)
        self._leftovers.clear()
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        self._readers.clear()
        for transport in self._transports:
            transport.close()
        self._transports.clear()

    async def _pipe(self) -> tuple[asyncio.StreamReader, int]:
        """A pipe of our own: with asyncio's, waiting for a process means waiting for all who inherited its output."""
        loop = asyncio.get_running_loop()
        read_end, write_end = os.pipe()
        stream = asyncio.StreamReader(limit=LINE_BYTES)
        file = os.fdopen(read_end, "rb", buffering=0)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), file)
        self._transports.append(transport)
        return stream, write_end


async def _start(argv: Sequence[str], cwd: Path, env: Mapping[str, str], output: int) -> asyncio.subprocess.Process:
    """Starts the leader of a new session. A cancel meanwhile ends its group too, where asyncio alone would kill only the leader."""
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(
            *argv,
            cwd=cwd,
            env=dict(env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        starting.add_done_callback(_kill_started)
        await asyncio.wait({starting})
        if starting.exception() is None:
            await starting.result().wait()
        raise


def _kill_started(starting: asyncio.Future[asyncio.subprocess.Process]) -> None:
    """Called when the start ends, so that not even a second cancel leaves the group alive."""
    if not starting.cancelled() and starting.exception() is None:
        _signal_group(starting.result().pid, signal.SIGKILL)


async def _end_group(process: asyncio.subprocess.Process) -> None:
    _signal_group(process.pid, signal.SIGTERM)
    try:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), GRACE_S)
    finally:  # also when a second cancel comes during the grace
        _signal_group(process.pid, signal.SIGKILL)
    await process.wait()


async def _read_lines(stream: asyncio.StreamReader, line: Callable[[str], None]) -> None:
    while True:
        try:
            data = await stream.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            data = error.partial
        except asyncio.LimitOverrunError as error:
            data = await stream.read(max(error.consumed, 1))
        if not data:
            return
        line(data.decode(errors="replace").rstrip("\r\n"))
