"""A report on an incident as one HTML page: nothing is loaded from elsewhere, no script runs, and every text of telemetry is escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path

from bot.rootcause.exemplars import Exemplar, Row
from bot.rootcause.model import Answer, Finding, Suspect
from bot.rootcause.report import Curve, Report
from bot.texts.safe import cut, one_line
from bot.texts.service_graph import service_graph

STYLE = Path(__file__).with_suffix(".css")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
VERDICTS = {"no-culprit": "No culprit: nothing is odder than in health", "inconclusive": "Inconclusive: this cannot be judged"}
MAX_SUSPECTS = 8
MAX_TEXT_CHARS = 400
CURVE_WIDTH, CURVE_HEIGHT = 1000.0, 120.0
Shown = Callable[[str], str]


def page(report: Report, shown: Shown) -> str:
    """`shown` makes a text of telemetry fit to be seen (secrets redacted); escaping is done here."""
    say = _Words(shown)
    body = "\n".join(part for part in _parts(report, say) if part)
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><meta name="referrer" content="no-referrer">'
        f"<title>{headline(report.answer, say)}</title><style>{STYLE.read_text(encoding='utf-8')}</style></head>"
    )
    return f"{head}\n<body>\n{body}\n</body></html>\n"


class _Words:
    """Texts of telemetry, made harmless."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    def __call__(self, text: str, limit: int = MAX_TEXT_CHARS) -> str:
        return escape(cut(one_line(self._shown(text)), limit))


def headline(answer: Answer, say: Callable[[str], str]) -> str:
    if answer.verdict == "culprit":
        return f"Culprit: {say(answer.suspects[0].service)}"
    return VERDICTS[answer.verdict]


def confidence_words(answer: Answer) -> str:
    """One sentence on how far to trust the verdict; "" when nothing is claimed."""
    if answer.verdict == "inconclusive":
        return ""
    if any(view.features.get("alone") for view in answer.views):
        return f"Confidence {answer.confidence:.0%}, an estimate: without a baseline there was nothing to calibrate it on."
    return f"Confidence {answer.confidence:.0%}: of a hundred such answers about so many are right."


def utc(at_ns: int) -> str:
    """To the second, in UTC; a time beyond what calendars hold is said as it is."""
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_ns // 1000)).strftime("%Y-%m-%d %H:%M:%S")
    except OverflowError:
        return f"{at_ns} ns"


def span_of_time(nanoseconds: float) -> str:
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.0f} ns"


def _parts(report: Report, say: _Words) -> Iterator[str]:
    answer = report.answer
    yield _header(report, say)
    yield _section("What speaks for whom", _suspects(answer, say))
    if report.nodes:
        scale = "services in columns by who calls whom; the wider a line, the more calls"
        left = f"; {report.left_out} more services are not shown" if report.left_out else ""
        legend = "".join(f'<span><i class="{role}"></i>{role}</span>' for role in ("culprit", "suspect", "symptom"))
        graph = f'<div class="scroll">{service_graph(report.nodes, report.edges)}</div>'
        yield _section("Service graph", f'{graph}<p class="legend"><small>{legend}{scale}{left}</small></p>')
    yield _timeline(report, say)
    if report.exemplars:
        yield _section("Exemplars", "".join(_exemplar(one, say, number == 0) for number, one in enumerate(report.exemplars)))
    yield _section("What was compared", _compared(report, say))


def _section(title: str, body: str) -> str:
    return f"<section><h2>{title}</h2>\n{body}</section>"


def _header(report: Report, say: _Words) -> str:
    answer = report.answer
    when = f"Telemetry from {utc(report.began_ns)} to {utc(report.ended_ns)} UTC. " if report.ended_ns else ""
    reasons = "".join(f"<li>{say(reason)}</li>" for reason in answer.reasons)
    sure = f'<p class="quiet">{when}{confidence_words(answer)}</p>'
    return f'<header class="{answer.verdict}"><h1>{headline(answer, say)}</h1>{sure}<ul>{reasons}</ul></header>'


def _suspects(answer: Answer, say: _Words) -> str:
    if not answer.suspects:
        return '<p class="quiet">Nothing stands out.</p>'
    best = max(answer.suspects[0].score, 1e-9)
    rows = "".join(_suspect(one, answer, number, one.score / best, say) for number, one in enumerate(answer.suspects[:MAX_SUSPECTS]))
    more = len(answer.suspects) - MAX_SUSPECTS
    rest = f'<p class="quiet">{more} more with weaker signs.</p>' if more > 0 else ""
    return f"<table><thead><tr><th>Service</th><th>Score</th><th>Signs</th></tr></thead><tbody>{rows}</tbody></table>{rest}"


def _suspect(suspect: Suspect, answer: Answer, number: int, share: float, say: _Words) -> str:
    role = (
        "culprit" if number == 0 and answer.verdict == "culprit" else "symptom" if all(one.symptom_of for one in suspect.findings) else ""
    )
    signs = "".join(f"<li>{_sign(one, say)}</li>" for one in suspect.findings[:4])
    score = f'{suspect.score:.2f}<span class="bar" style="width:{100 * min(share, 1.0):.0f}%"></span>'
    return f'<tr class="{role}"><th scope="row">{say(suspect.service)}</th><td class="score">{score}</td><td><ul>{signs}</ul></td></tr>'


def _sign(finding: Finding, say: _Words) -> str:
    where = f" on {say(finding.instance)}" if finding.instance else ""
    since = f", since {utc(finding.since_ns)}" if finding.since_ns else ""
    because = f"; explained by {say(finding.symptom_of)}" if finding.symptom_of else ""
    return f'{say(finding.what)}<br><small><span class="tag">{finding.source}: {finding.fault}</span>{where}{since}{because}</small>'


def _timeline(report: Report, say: _Words) -> str:
    items = "".join(
        f"<li><time>{utc(one.since_ns)}</time><span><strong>{say(one.service)}</strong> {say(one.what)}</span></li>"
        for one in report.moments
    )
    parts = [f'<ol class="moments">{items}</ol>' if items else '<p class="quiet">No finding says when it began.</p>']
    if report.curve is not None:
        parts.append(_curve(report.curve, say))
    return _section("Timeline", "".join(parts))


def _curve(curve: Curve, say: _Words) -> str:
    points = [*curve.baseline, *curve.incident]
    top, bottom = max(value for _, value in points), min(0.0, *(value for _, value in points))
    spread = (top - bottom) or 1.0
    before, now = len(curve.baseline), len(curve.incident)
    step = CURVE_WIDTH / max(before + now + 1, 1)

    def line(values: Sequence[tuple[int, float]], first: int, kind: str) -> str:
        dots = [
            f"{(first + n) * step:.1f},{CURVE_HEIGHT - 4 - (value - bottom) / spread * (CURVE_HEIGHT - 8):.1f}"
            for n, (_, value) in enumerate(values)
        ]
        if len(dots) == 1:
            x, y = dots[0].split(",")
            dots.append(f"{float(x) + 3:.1f},{y}")
        return f'<polyline class="{kind}" points="{" ".join(dots)}"/>'

    drawn = line(curve.baseline, 0, "usual") + line(curve.incident, before + 1, "now")
    border = f'<line x1="{(before + 0.5) * step:.1f}" x2="{(before + 0.5) * step:.1f}" y1="0" y2="{CURVE_HEIGHT}"/>'
    unit = f" {say(curve.unit)}" if curve.unit else ""
    words = f"{say(curve.service)} {say(curve.name)}: baseline in grey, incident in red; from {bottom:.3g} to {top:.3g}{unit}"
    svg = f'<svg class="curve" viewBox="0 0 {CURVE_WIDTH:.0f} {CURVE_HEIGHT:.0f}" role="img" aria-label="{words}">{border}{drawn}</svg>'
    return f"<figure>{svg}<figcaption>{words}</figcaption></figure>"


def _exemplar(one: Exemplar, say: _Words, is_open: bool) -> str:
    rows = "".join(_row(row, say) for row in one.rows)
    rest = f"<p><small>{one.left_out} more spans are not shown.</small></p>" if one.left_out else ""
    title = f"<code>{say(one.trace_id, 64)}</code> {span_of_time(one.duration_ns)}<br><small>{say(one.why)}</small>"
    return f'<details{" open" if is_open else ""}><summary>{title}</summary><div class="fall">{rows}</div>{rest}</details>'


def _row(row: Row, say: _Words) -> str:
    kind = " ".join(word for word, true in (("blamed", row.blamed), ("failed", row.failed)) if true)
    failed = f" <b>failed</b>{f': {say(row.said, 120)}' if row.said else ''}" if row.failed else ""
    begin, width = 100 * min(max(row.begin, 0.0), 1.0), 100 * min(max(row.width, 0.0), 1.0)
    title = f"{say(row.service)} {say(row.operation)}"
    words = f"{say(row.service, 60)} <small>{say(row.operation, 100)}</small>{failed}"
    name = f'<span class="name {kind}" style="padding-left:{min(row.depth, 20) * 0.7:.1f}rem" title="{title}">{words}</span>'
    lane = f'<span class="lane {kind}"><i style="left:{begin:.2f}%;width:{min(width, 100 - begin):.2f}%"></i></span>'
    return f'{name}{lane}<span class="ms">{span_of_time(row.duration_ns)}</span>'


def _compared(report: Report, say: _Words) -> str:
    rows = "".join(f"<tr><th scope='row'>{one.source}</th><td>{one.incident}</td><td>{one.baseline}</td></tr>" for one in report.amounts)
    table = f"<table><thead><tr><th></th><th>Incident</th><th>Baseline</th></tr></thead><tbody>{rows}</tbody></table>"
    silent = [f"{view.source}: {view.why}" for view in report.answer.views if not view.comparable and view.why]
    notes = "".join(f"<li>{say(note)}</li>" for note in (*silent, *report.notes))
    return table + (f"<ul>{notes}</ul>" if notes else "")
