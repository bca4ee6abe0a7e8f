"""The marketplace as real processes for tests: deployed from a copy of the tree, its carriers apart, all ended at the end."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import httpx
import uvicorn
from starlette.types import ASGIApp

from bot.local.ports import free_port
from userplane.common.dependency import tls_context
from userplane.common.serving import bind

ROOT = Path(__file__).resolve().parents[2]
CARRIERS = ("carrier-alder", "carrier-birch", "carrier-cedar")
TOKEN = "controls-for-tests"
RISK = {"driver_age": 41, "vehicle": "estate", "region": "coast", "cover": "comprehensive", "licence_years": 20, "claims": 0}


def checkout(to: Path, changes: Mapping[str, str] | None = None) -> Path:
    """A copy of the userplane's tree, as a deploy would check it out, with `changes` (path → text) applied."""
    shutil.copytree(ROOT / "userplane", to / "userplane", ignore=shutil.ignore_patterns("__pycache__"))
    for path, text in (changes or {}).items():
        (to / path).write_text(text, encoding="utf-8")
    return to


@dataclass
class Running:
    """A started process, its address, and the file that has its output."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def ended(self, limit_s: float = 10.0) -> tuple[int, str]:
        """Wait for it to end by itself: its exit code and all that it printed."""
        return self.process.wait(timeout=limit_s), self.log.read_text(encoding="utf-8")

    def stop(self) -> tuple[int, float]:
        """SIGTERM, then exit code and seconds until the end."""
        started_s = time.monotonic()
        self.process.terminate()
        code = self.process.wait(timeout=10)
        return code, time.monotonic() - started_s


@dataclass
class World:
    """Starts processes with one environment: `with World(tmp_path, environ) as world`."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    started: list[Running] = field(default_factory=list)

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "SYSTEMROOT") if name in os.environ}
        return {
            **kept,
            "ENGINEERING_CONTROLS_TOKEN": TOKEN,
            "MARKETPLACE_DB": str(self.folder / "marketplace.sqlite"),
            "RENDER_GIT_COMMIT": "c0ffee",
            **self.environ,
            **extra,
        }

    def start(self, *arguments: str, cwd: Path = ROOT, **extra: str) -> Running:
        """`python -m ARGUMENTS` on a free port."""
        port = free_port()
        log = self.folder / f"{len(self.started)}.log"
        with log.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=cwd,
                env=self.environment({"PORT": str(port), **extra}),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        running = Running(process, f"http://127.0.0.1:{port}", log)
        self.started.append(running)
        return running

    def start_carriers(self) -> dict[str, str]:
        """All three carriers; their addresses go into the environment of what is started later. Returns URLs by name."""
        carriers = {name: self.start("userplane.carriers", name) for name in CARRIERS}
        for name, running in carriers.items():
            self.environ[name.upper().replace("-", "_") + "_URL"] = running.url
        for running in carriers.values():
            wait_until_well(running)
        return {name: running.url for name, running in carriers.items()}

    def start_marketplace(self, cwd: Path = ROOT, **extra: str) -> Running:
        running = self.start("userplane.marketplace", cwd=cwd, **extra)
        wait_until_well(running)
        return running

    def __enter__(self) -> World:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for running in self.started:
            if running.process.poll() is None:
                os.killpg(running.process.pid, signal.SIGKILL)
            running.process.wait()


def client(url: str, patience_s: float = 10.0) -> httpx.Client:
    """A client for one service."""
    return httpx.Client(base_url=url, timeout=patience_s, verify=tls_context([url]), trust_env=False)


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """`app` on a real server in this loop, start and stop included; yields a client whose base URL it is."""
    listener = bind("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=10, verify=False) as client:
        yield client
    server.should_exit = True
    await running


def wait_until_well(running: Running, limit_s: float = 15.0) -> None:
    deadline_s = time.monotonic() + limit_s
    with client(running.url, 2.0) as asking:
        while True:
            try:
                if asking.get("/healthz").status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            if running.process.poll() is not None or time.monotonic() > deadline_s:
                running.process.kill()
                raise AssertionError(f"did not become well: {running.ended()[1]}")
            time.sleep(0.02)


def hang(carrier_url: str, seconds: float) -> None:
    with client(carrier_url) as controls:
        answer = controls.post("/controls/latency", json={"seconds": seconds}, headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200, answer.text


def recover(carrier_url: str) -> None:
    with client(carrier_url) as controls:
        answer = controls.delete("/controls/latency", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200, answer.text


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
