"""A report on an incident for a terminal."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bot.rootcause.model import Answer, Finding, Suspect
from bot.rootcause.report import Report
from bot.texts.rootcause_page import confidence_words, headline, utc
from bot.texts.safe import cut, one_line

COLOURS = {"culprit": "red", "no-culprit": "green", "inconclusive": "yellow"}
MAX_SUSPECTS = 5
MAX_SIGNS = 3
MAX_TEXT_CHARS = 300
BAR_CELLS = 10
Shown = Callable[[str], str]


def show(report: Report, shown: Shown, console: Console) -> None:
    """`shown` makes a text of telemetry fit to be seen. Nothing of it is read as markup."""

    def say(text: str) -> str:
        return cut(one_line(shown(text)), MAX_TEXT_CHARS)

    answer = report.answer
    colour = COLOURS[answer.verdict]
    reasons = [Text(f"• {say(reason)}") for reason in answer.reasons]
    sure = Text(confidence_words(answer), style="bold")
    console.print(
        Panel(
            Group(*([sure] if sure else []), *reasons),
            title=Text(headline(answer, say), style=f"bold {colour}"),
            title_align="left",
            border_style=colour,
        )
    )
    if answer.suspects:
        console.print(_suspects(answer, say))
    console.print(_compared(report))
    for note in (*(f"{view.source}: {view.why}" for view in answer.views if not view.comparable and view.why), *report.notes):
        console.print(Text(f"note: {say(note)}", style="dim"))


def _suspects(answer: Answer, say: Shown) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("suspect", "score", "what speaks for it"):
        table.add_column(title, overflow="fold")
    best = max(answer.suspects[0].score, 1e-9)
    for suspect in answer.suspects[:MAX_SUSPECTS]:
        table.add_row(
            Text(say(suspect.service), style="bold"), _bar(suspect, best), Group(*(_sign(one, say) for one in suspect.findings[:MAX_SIGNS]))
        )
    return table


def _bar(suspect: Suspect, best: float) -> Text:
    cells = round(BAR_CELLS * min(suspect.score / best, 1.0))
    return Text(f"{suspect.score:6.2f} {'█' * cells}{'░' * (BAR_CELLS - cells)}")


def _sign(finding: Finding, say: Shown) -> Text:
    more = [f"{finding.source}: {finding.fault}"]
    more += [f"on {say(finding.instance)}"] if finding.instance else []
    more += [f"since {utc(finding.since_ns)} UTC"] if finding.since_ns else []
    more += [f"explained by {say(finding.symptom_of)}"] if finding.symptom_of else []
    return Text.assemble(say(finding.what), (f"  ({', '.join(more)})", "dim"))


def _compared(report: Report) -> Table:
    table = Table(box=None, padding=(1, 2, 0, 0), header_style="dim", show_edge=False)
    for title in ("compared", "incident", "baseline"):
        table.add_column(title)
    for amount in report.amounts:
        table.add_row(amount.source, amount.incident, amount.baseline)
    return table
