"""`make test`: all tests in three runs of pytest. Arguments go to each; where they name tests, there is one run of just those.

The worlds of the end-to-end tests mostly wait, so what only computes runs beside them at low priority, and is reported at the end. What
talks to real processes and looks at the clock comes after the worlds: a busy machine would make it slow.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

WORLDS = ("tests/e2e",)
PROCESSES = ("tests/contract", "tests/local", "tests/userplane", "tests/web")
WORKERS = max(2, (os.cpu_count() or 2) // 2)  # of each run; two runs at a time
NICENESS = 19
NO_TESTS = 5  # pytest's exit code when the arguments chose none of a run's tests
INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """pytest's worst exit code; 130 after Ctrl-C or SIGTERM, when all runs have cleaned up."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        if any(a.startswith(("tests/", "./tests/")) for a in arguments):
            return _run(arguments)
        return _all(arguments)
    return INTERRUPTED


def _all(arguments: Sequence[str]) -> int:
    others = [f"--ignore={folder}" for folder in (*WORLDS, *PROCESSES)]
    codes: dict[str, int] = {}
    with tempfile.TemporaryFile() as report:
        with _started([*others, *arguments], report) as computing:
            _be_nice(computing.pid)
            _say("Whole worlds, end to end; beside them what only computes, with its report at the end:")
            codes["worlds"] = _run([*WORLDS, *arguments], distribution="load")
            _say("What talks to real processes and servers:")
            codes["processes and servers"] = _run([*PROCESSES, *arguments])
            _say("What only computes:")
            codes["what only computes"] = computing.wait()
        report.seek(0)
        sys.stdout.buffer.write(report.read())
    failed = [name for name, code in codes.items() if code not in (0, NO_TESTS)]
    if failed:
        _say(f"Not all passed: {', '.join(failed)}.")
    return max((abs(code) for code in codes.values() if code != NO_TESTS), default=NO_TESTS)


def _run(arguments: Sequence[str], distribution: str = "worksteal") -> int:
    with _started(arguments, distribution=distribution) as process:
        return process.wait()


@contextmanager
def _started(
    arguments: Sequence[str], report: IO[bytes] | None = None, distribution: str = "worksteal"
) -> Iterator[subprocess.Popen[bytes]]:
    """pytest in a session of its own, so that it hears of an interruption once, from us, and has the time to clean up."""
    command = [sys.executable, "-m", "pytest", "-n", str(WORKERS), "--dist", distribution, *arguments]
    process = subprocess.Popen(command, stdout=report, stderr=report, start_new_session=True)
    try:
        yield process
    except BaseException:
        process.send_signal(signal.SIGINT)
        raise
    finally:
        process.wait()


def _be_nice(session: int) -> None:
    """Linux shares the processor among sessions first (sched_autogroup), and by niceness only within one."""
    os.setpriority(os.PRIO_PROCESS, session, NICENESS)
    with suppress(OSError):  # another system, or a kernel without it
        Path(f"/proc/{session}/autogroup").write_text(str(NICENESS))


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
