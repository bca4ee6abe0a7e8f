"""Keeps what the demo made as files that a browser opens without any server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import httpx

from bot.local.demo.report import Report
from bot.local.world import World
from bot.model import Event
from bot.web.parts import MONITOR_DIR
from bot.web.standalone import standalone_page


async def save_run(world: World, reports: Sequence[Report], events: Sequence[Event], folder: Path) -> None:
    """issue-N.html and pull-N.html for each incident, monitor.html, and the logs' addresses stay in the demo's own folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.html"):
        old.unlink()
    for report in reports:
        if report.issue:
            page = world.github.render_issue_page(report.issue, standalone=True)
            (folder / f"issue-{report.issue}.html").write_text(page, encoding="utf-8")
        if report.pull:
            page = world.github.render_pull_page(report.pull, standalone=True)
            (folder / f"pull-{report.pull}.html").write_text(page, encoding="utf-8")
    async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
        state = (await client.get(f"{world.url}/api/state")).json()
    (folder / "monitor.html").write_text(standalone_page(MONITOR_DIR, state, list(events)), encoding="utf-8")
