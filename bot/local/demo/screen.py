"""The terminal: every thought on a line, with time, agent and links; at the end a timeline."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.local.demo.report import Report
from bot.model import Event

COLOURS = {
    "scout": "bright_cyan",
    "cag": "bright_magenta",
    "brain": "magenta",
    "guardrail": "yellow",
    "fixer": "bright_blue",
    "verifier": "green",
    "curator": "bright_green",
    "jules": "cyan",
    "human": "bright_red",
    "loop": "bright_black",
}
_REFERENCE = re.compile(r"#(\d+)")


class Screen(Protocol):
    def say(self, text: str) -> None: ...
    def thought(self, event: Event) -> None: ...
    def report(self, reports: Sequence[Report], folder: str) -> None: ...


class Quiet:
    """For `--json`: nothing but the object at the end."""

    def say(self, text: str) -> None:
        return None

    def thought(self, event: Event) -> None:
        return None

    def report(self, reports: Sequence[Report], folder: str) -> None:
        return None


class Terminal:
    """`repository_url` makes #12 a link."""

    def __init__(self, start_s: float) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._start_s = start_s
        self.repository_url = ""

    def say(self, text: str) -> None:
        self._console.print(Text(text, style="bold"))

    def thought(self, event: Event) -> None:
        line = Text(f"{event.at_s - self._start_s:7.1f}s  ", style="bright_black")
        line.append(f"{event.agent:<10}", style=COLOURS.get(event.agent, "white"))
        line.append(f"{event.phase:<8}", style="bright_black")
        line.append_text(self._linked(event.text))
        self._console.print(line)

    def _linked(self, text: str) -> Text:
        line, at = Text(), 0
        for match in _REFERENCE.finditer(text):
            line.append(text[at : match.start()])
            style = f"link {self.repository_url}/issues/{match[1]}" if self.repository_url else ""
            line.append(match[0], style=f"bold {style}".strip())
            at = match.end()
        line.append(text[at:])
        return line

    def report(self, reports: Sequence[Report], folder: str) -> None:
        for number, r in enumerate(reports, 1):
            title = f"{r.fault}{f' ({number} of {len(reports)})' if len(reports) > 1 else ''}: {r.outcome}"
            self._console.print(_timeline(r, title))
        if len(reports) > 1:
            self._console.print(_compared(reports))
        for r in reports:
            for name, url in r.urls:
                self._console.print(f"  {name:8} {url}")
        self._console.print(f"\nThe issue, the pull request and the monitor are saved in [bold]{folder}[/bold]")


def _timeline(r: Report, title: str) -> Table:
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("after", justify="right", style="bright_black")
    table.add_column("what")
    table.add_column("how")
    rows: list[tuple[float | None, str, str]] = [
        (r.injected_at, "injected", r.fault),
        (r.detected_at, "detected", r.title),
        (r.diagnosed_at, "diagnosed", f"by {r.answered_by}, confidence {r.confidence}: {r.cause}"),
        (r.decided_at, "decided", f"guardrail: {r.verdict}, #{r.pull}"),
        (r.merged_at, "merged", f"#{r.pull}"),
        (r.deployed_at, "deployed", "the merge commit answers"),
        (r.healed_at, "healed", "the same operation, measured again"),
        (r.remembered_at, "remembered", f"post-mortem in #{r.issue}"),
    ]
    for at_s, what, how in rows:
        after = "–" if at_s is None else f"{max(0.0, at_s - r.injected_at):.1f} s"
        table.add_row(after, what, how if at_s is not None else "did not happen")
    table.add_row("", "memory", f"control plane at most {r.serve_peak_mib:.0f} MiB")
    return table


def _compared(reports: Sequence[Report]) -> Table:
    table = Table(title="the first time and the second", title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("")
    for r in reports:
        table.add_column(f"by {r.answered_by or 'nobody'}", justify="right")
    for name in ("detect", "diagnose", "decide", "merge", "heal", "total"):
        values = [r.seconds()[name] for r in reports]
        table.add_row(name, *("–" if value is None else f"{value:.1f} s" for value in values))
    return table
