"""How light the always-on process is: from start to its first answer with no GitHub in reach, and what its commands import."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import psutil

from bot.local.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("chromadb", "langgraph", "openai", "numpy", "redis", "rich")
LIGHT_MODULES = ("bot.commands.serve", "bot.wiring", "bot.loop", "bot.commands.gate", "bot.agents.cag")
GIVE_UP_S = 15.0
POLL_S = 0.01
_IMPORT = """
import json, sys, time
began = time.perf_counter()
for name in sys.argv[1].split():
    __import__(name)
seconds = time.perf_counter() - began
import psutil
rss = psutil.Process().memory_info().rss / 1024 / 1024
print(json.dumps([seconds, rss, [name for name in sys.argv[2:] if name in sys.modules]]))
"""


@dataclass(frozen=True)
class Started:
    """One start of `serve`. Seconds from the start of the process to its first 200 of /healthz, and from SIGTERM to its end."""

    first_answer_s: float
    rss_mib: float
    stop_s: float


@dataclass(frozen=True)
class Imported:
    """One module in a fresh interpreter. `heavy`: what it loaded of `HEAVY`."""

    module: str
    seconds: float
    rss_mib: float
    heavy: tuple[str, ...]


def start_serve(folder: Path) -> Started:
    """Starts and stops it once, in `folder`. Raises RuntimeError with its output when it never answers."""
    port = free_port()
    env = {
        **clean_env(),
        "PORT": str(port),
        "SRE_GITHUB_TOKEN": secrets.token_hex(8),
        "SRE_REPOSITORY": "nobody/nowhere",
        "SRE_WEBHOOK_SECRET": secrets.token_hex(8),
        "SRE_POLICIES_DIR": str(ROOT / "policies"),
        "GITHUB_API_URL": f"http://127.0.0.1:{free_port()}",  # nobody listens there
    }
    log = folder / "serve.log"
    with log.open("w") as output:
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "bot", "serve"], cwd=folder, env=env, stdout=output, stderr=output)
        try:
            answered = wait_for_answer(f"http://127.0.0.1:{port}/healthz", process, began)
            if answered is None:
                raise RuntimeError(f"serve did not answer within {GIVE_UP_S:.0f} s:\n{log.read_text()[-2000:]}")
            rss_mib = psutil.Process(process.pid).memory_info().rss / 1024 / 1024
            stopping = time.perf_counter()
            process.send_signal(signal.SIGTERM)
            process.wait(GIVE_UP_S)
            return Started(answered, rss_mib, time.perf_counter() - stopping)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def wait_for_answer(url: str, process: subprocess.Popen[bytes], began: float) -> float | None:
    """Seconds since `began` until it answers 200; None when it ended or took too long."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while process.poll() is None and time.perf_counter() - began < GIVE_UP_S:
        try:
            with opener.open(url, timeout=2) as answer:
                if answer.status == 200:
                    return time.perf_counter() - began
        except (urllib.error.URLError, OSError):
            time.sleep(POLL_S)
    return None


def import_modules(*modules: str) -> Imported:
    """Imports them in one fresh interpreter. Raises CalledProcessError when that fails."""
    command = [sys.executable, "-c", _IMPORT, " ".join(modules), *HEAVY]
    ended = subprocess.run(command, cwd=ROOT, env=clean_env(), capture_output=True, text=True, check=True)
    seconds, rss_mib, heavy = json.loads(ended.stdout)
    return Imported(" ".join(modules), seconds, rss_mib, tuple(heavy))


def clean_env() -> dict[str, str]:
    """An environment with no setting of ours in it, in which `bot` is this checkout's."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
