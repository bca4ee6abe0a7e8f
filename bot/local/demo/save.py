"""Keeps what the demo made as files that a browser opens without any server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from bot.local.demo.report import Report
from bot.local.world import World
from bot.model import Event
from bot.tls import trusted
from bot.web.parts import MONITOR_DIR
from bot.web.standalone import standalone_page


async def save_run(world: World, reports: Sequence[Report], events: Sequence[Event], folder: Path) -> None:
    """issue-N.html and pull-N.html for each incident, monitor.html, and the logs' addresses stay in the demo's own folder."""
    pages: dict[str, str] = {}
    for report in reports:
        if report.issue:
            pages[f"issue-{report.issue}.html"] = world.github.render_issue_page(report.issue, standalone=True)
        if report.pull:
            pages[f"pull-{report.pull}.html"] = world.github.render_pull_page(report.pull, standalone=True)
    async with httpx.AsyncClient(trust_env=False, timeout=5.0, verify=trusted(world.url)) as client:
        state = (await client.get(f"{world.url}/api/state")).json()
    pages["monitor.html"] = standalone_page(MONITOR_DIR, state, list(events))
    await asyncio.to_thread(_write, folder, pages)


def _write(folder: Path, pages: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.html"):
        old.unlink()
    for name, page in pages.items():
        (folder / name).write_text(page, encoding="utf-8")
