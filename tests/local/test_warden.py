"""What a process has started ends with it, however it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from bot.local.warden import LOOK_EVERY_S

WARD = """
import asyncio, subprocess, sys, time
from bot.local.warden import Warden

async def main():
    warden = Warden()
    await warden.start()
    family = subprocess.Popen(["sh", "-c", "sleep 300 & sleep 300 & wait"], start_new_session=True)
    print(family.pid, flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await warden.dismiss()
    print("dismissed", flush=True)

asyncio.run(main())
"""


@contextmanager
def ward() -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """A process with a warden, and the head of a family of three that it has started, in a session of its own."""
    process = subprocess.Popen([sys.executable, "-c", WARD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin and process.stdout
    head = psutil.Process(int(process.stdout.readline()))
    try:
        yield process, head
    finally:
        for one in (*head.children(), head) if head.is_running() else ():
            one.kill()
        process.kill()
        process.communicate()


def grown(head: psutil.Process) -> list[psutil.Process]:
    """The whole family, complete for so long that the warden has seen it."""
    while len(children := head.children()) < 2:
        time.sleep(0.01)
    time.sleep(LOOK_EVERY_S + 0.5)
    return [head, *children]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_all_that_it_has_started_dies_with_the_process(number: signal.Signals) -> None:
    with ward() as (process, head):
        family = grown(head)
        process.send_signal(number)
        process.wait()
        assert psutil.wait_procs(family, timeout=10)[1] == []


def test_a_dismissed_warden_harms_nobody() -> None:
    with ward() as (process, head):
        family = grown(head)
        assert process.stdin and process.stdout
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "dismissed\n"
        process.wait()
        assert all(one.is_running() for one in family)
