"""When this process dies without a chance to stop what it has started (SIGKILL, out of memory), another small one does it.

The warden remembers the descendants of its ward, because nobody can ask for them once the ward is gone; the end of a pipe tells it that
it is. A process that began less than `LOOK_EVERY_S` before the end may escape it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import sys
from typing import BinaryIO

import psutil

from bot.local.seed import ROOT

LOOK_EVERY_S = 1.0
DISMISSED = b"."


class Warden:
    """Guards this process from `start` until `dismiss`."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Raises OSError when it cannot be started."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot.local.warden", str(os.getpid())),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            start_new_session=True,  # what ends its ward must not end it
        )

    async def dismiss(self) -> None:
        """Everything was stopped in order: it ends without doing anything."""
        if self._process is not None:
            await self._process.communicate(DISMISSED)


def guard(ward: psutil.Process, pipe: BinaryIO) -> None:
    """Until the pipe says that the ward dismisses us, or ends: then kills what the ward left behind."""
    known: set[psutil.Process] = set()
    while True:
        told, _, _ = select.select([pipe], [], [], LOOK_EVERY_S)
        if told:
            break
        known = {p for p in known | _descendants(ward) if p.is_running()}
    if os.read(pipe.fileno(), 1) != DISMISSED:
        _kill({p for one in known for p in (one, *_descendants(one))})


def _kill(processes: set[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):  # psutil sees to it that nobody dies who only got the number
            process.kill()


def _descendants(process: psutil.Process) -> set[psutil.Process]:
    try:
        return {p for p in process.children(recursive=True) if p.pid != os.getpid()}
    except psutil.NoSuchProcess:
        return set()


if __name__ == "__main__":
    guard(psutil.Process(int(sys.argv[1])), sys.stdin.buffer)
