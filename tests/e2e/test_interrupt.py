"""Ctrl-C in the middle of a demo: it ends, says so, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.e2e(turn=4)

UP_WITHIN_S = 60.0


def test_ctrl_c_leaves_no_process_behind(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    with out.open("wb") as sink:
        demo = subprocess.Popen(
            [sys.executable, "-m", "bot", "demo", "--port", "0", "--fault", "none"],
            cwd=tmp_path,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline_s = time.monotonic() + UP_WITHIN_S
        while "Everything stays up" not in out.read_text(errors="replace"):
            assert demo.poll() is None, out.read_text(errors="replace")
            assert time.monotonic() < deadline_s, out.read_text(errors="replace")
            time.sleep(0.2)
        children = psutil.Process(demo.pid).children(recursive=True)
        assert len(children) > 5, "the services run as processes of their own"
        os.killpg(demo.pid, signal.SIGINT)
        assert demo.wait(timeout=20) == 130
        gone, alive = psutil.wait_procs(children, timeout=5)
        assert not alive
        assert len(gone) == len(children)
        assert "everything is stopped" in out.read_text(errors="replace")
        assert "Traceback" not in out.read_text(errors="replace")
    finally:
        if demo.poll() is None:
            os.killpg(demo.pid, signal.SIGKILL)
