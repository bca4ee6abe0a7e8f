"""Start several services as forked processes, so that heavy imports happen once; stop all of them together."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

STOP_LIMIT_S = 2.5  # longer than a service's own grace and last telemetry


@dataclass(frozen=True)
class Service:
    """A service to run in its own process: `run` gets its listener and a lifeline (`userplane.common.serving.run`)."""

    name: str
    listener: socket.socket
    run: Callable[[socket.socket, int], None]


def supervise(services: Sequence[Service]) -> int:
    """Run all `services` until SIGTERM or SIGINT (returns 0) or until one of them ends by itself (returns 1).

    The first is the public one: it is stopped before the others, so that its last requests are still answered.
    Call it before any thread is started: it forks.
    """
    asked_to_stop = False

    def note_stop(_: int, __: object) -> None:
        nonlocal asked_to_stop
        asked_to_stop = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, note_stop)
    reading, writing = os.pipe()
    running = {_fork(service, services, reading, writing): service.name for service in services}
    os.close(reading)
    for service in services:
        service.listener.close()
    died: dict[int, int] = {}
    while not asked_to_stop and not died:
        time.sleep(0.05)
        died = _ended(running)
    for pid, status in died.items():
        print(f"marketplace: {running.pop(pid)} ended by itself ({_reason(status)}); stopping the others", file=sys.stderr, flush=True)
    _stop(list(running)[:1])
    _stop(list(running)[1:])
    os.close(writing)
    return 0 if not died else 1


def _fork(service: Service, services: Sequence[Service], reading: int, writing: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.close(writing)
        for other in services:
            if other is not service:
                other.listener.close()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        service.run(service.listener, reading)
        code = 0
    except SystemExit as refused:
        print(refused, file=sys.stderr)
    except BaseException:  # noqa: BLE001 - the child must never return into the parent's code
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _ended(running: Mapping[int, str]) -> dict[int, int]:
    found: dict[int, int] = {}
    for pid in running:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            found[pid] = status
    return found


def _stop(pids: Sequence[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    deadline_s = time.monotonic() + STOP_LIMIT_S
    left = list(pids)
    while left and time.monotonic() < deadline_s:
        time.sleep(0.01)
        left = [pid for pid in left if not os.waitpid(pid, os.WNOHANG)[0]]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _reason(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
