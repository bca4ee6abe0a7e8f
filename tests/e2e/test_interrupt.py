"""A demo that is ended in the middle leaves no process behind: asked to by Ctrl-C it says so, killed without a warning it does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.e2e(turn=1)

UP_WITHIN_S = 60.0


@contextmanager
def demo(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], list[psutil.Process]]]:
    """A demo that is up, and everything that it has started; what it says goes to `out.txt` in its folder."""
    folder.mkdir()
    out = folder / "out.txt"
    with out.open("wb") as sink:
        command = [sys.executable, "-m", "bot", "demo", "--port", "0", "--fault", "none"]
        process = subprocess.Popen(command, cwd=folder, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True)
    children: list[psutil.Process] = []
    try:
        deadline_s = time.monotonic() + UP_WITHIN_S
        while "Everything stays up" not in out.read_text(errors="replace"):
            assert process.poll() is None, out.read_text(errors="replace")
            assert time.monotonic() < deadline_s, out.read_text(errors="replace")
            time.sleep(0.2)
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) > 5, "the services run as processes of their own"
        yield process, children
    finally:
        process.kill()
        for left in psutil.wait_procs(children, timeout=0)[1]:
            left.kill()


def test_an_end_in_the_middle_leaves_no_process_behind(tmp_path: Path) -> None:
    for number in (signal.SIGINT, signal.SIGHUP):  # Ctrl-C; the terminal is closed
        with demo(tmp_path / number.name) as (asked, children):
            os.killpg(asked.pid, number)
            assert asked.wait(timeout=20) == 130
            assert psutil.wait_procs(children, timeout=5)[1] == []
        said = (tmp_path / number.name / "out.txt").read_text(errors="replace")
        assert "everything is stopped" in said
        assert "Traceback" not in said

    with demo(tmp_path / "killed") as (killed, children):
        time.sleep(1.5)  # as long as its warden needs to have seen everything
        killed.kill()
        killed.wait(timeout=20)
        assert psutil.wait_procs(children, timeout=10)[1] == []
