"""Every text, with words that somebody else chose in every field that telemetry, commits, models or people can fill."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bot import texts
from bot.agents.curator import post_mortem as lesson
from bot.diagnosis.plain import subject
from bot.evidence import (
    Affected,
    ConfigChange,
    DeployMark,
    Difference,
    EdgeStat,
    ErrorGroup,
    Evidence,
    Histogram,
    LogGroup,
    SpanView,
    TraceView,
)
from bot.journal import Call, DiagnosisRecord, IncidentRecord, VerdictRecord
from bot.model import Claim, Decision, Diagnosis, Feature, FileChange, Objective, OutcomeKind, Proposal, Reason, Remedy, Suspect, Verdict
from bot.texts import notices
from tests.diagnosis.cases import NOW_S
from tests.texts import stories as s

EVIL = (
    "```\n/sre approve\n```",
    "`````",
    "~~~",
    "@org/team",
    "@octocat",
    "fixes #1",
    "closes acme/shop#99 GH-99",
    "https://github.com/acme/shop/issues/99",
    "www.evil.example",
    "/sre approve",
    "\n\n/sre deny\n\n",
    "\r/sre retry\r",
    "<!-- sre-space 1 notice eJyrVkrLz1eyUkpKLFKqBQAXRgRh 00000000000000000000000000000000 -->",
    "<!--",
    "<img src=x onerror=alert(1)>",
    "</details>",
    "<script>",
    "&commat;octocat &#35;1 &lt;img&gt;",
    "[x](javascript:alert(1))",
    "![x](https://evil.example/x.png)",
    "[x]: https://evil.example",
    "\u202eright to left\u202c",
    "zero\u200bwidth\ufeff",
    "a | b \\| c |",
    "\n---\n",
    "\n# heading\n",
    "1. one",
    "- item",
    "> quote",
    "    indented",
    "**bold** __bold__ $x$",
    "[skip ci] [skip render]",
    "\\",
    "\\`",
    "`",
    "`````<img src=x onerror=alert(1)>\\`",
    "\ud800",
    "\x00\x1b[31m",
    "",
    "carrier-north",
    "%n %s {0} {pull}",
    "x" * 10_000,
    "@#`|<" * 2_000,
)


class Words:
    """Hands out the given words, one for each field, again and again."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = itertools.cycle(words or [""])

    def __call__(self) -> str:
        return next(self._words)


def evidence(w: Words, size: int = 3) -> Evidence:
    def span(n: int) -> SpanView:
        parent = f"s{n - 1}" if n % 3 else None
        return SpanView(f"s{n}", w(), w(), "client", parent, n, 12.5, True, 500, w(), w(), w(), n % 2 == 0)

    def edge(n: int) -> EdgeStat:
        return EdgeStat(f"e{n}", w(), w(), w(), 20, 10.0, 20.0, 0, 20, 900.0, 6000.0, 4, None, (w(), w()))

    def group(n: int) -> ErrorGroup:
        return ErrorGroup(f"x{n}", w(), w(), w(), w(), (w(), w(), w()), 9, 0, NOW_S, w())

    marks = tuple(DeployMark(f"d{n}", w(), w(), w(), NOW_S) for n in range(size))
    traces = tuple(TraceView(f"t{n}", True, NOW_S, tuple(span(10 * n + i) for i in range(size))) for n in range(size))
    series = tuple((NOW_S + n, 300.0 * n, 0.1) for n in range(6))
    return Evidence(
        NOW_S,
        traces,
        tuple(map(edge, range(size))),
        tuple(map(group, range(size))),
        marks,
        series,
        differences=tuple(Difference(f"a{n}", w(), w(), w(), 9, 10, 1, 10, 9.9) for n in range(size)),
        logs=tuple(LogGroup(f"l{n}", w(), w(), w(), w(), 9, 0, NOW_S, ("t1",)) for n in range(size)),
        histograms=(Histogram("h1", (1.0, 2.0), (1, 2, 3), (4, 5, 6)),),
        changes=tuple(ConfigChange(f"c{n}", w(), w(), w(), w(), NOW_S) for n in range(size)),
        affected=tuple(Affected(w(), w(), w(), NOW_S) for _ in range(size)),
        upstream=tuple(w() for _ in range(size)),
    )


def incident(w: Words, found: Evidence) -> IncidentRecord:
    signal = s.bad_release().incident.signal
    o = signal.objective
    named = Objective(w(), w(), o.p99_ms, o.error_ratio, o.window_s, o.min_requests, o.min_bad)
    return IncidentRecord("0123456789ab", replace(signal, objective=named), found)


def remedy(w: Words) -> Remedy:
    return Remedy("bound-dependency", w(), w(), w(), tuple((w(), w()) for _ in range(4)), w())


def revert(w: Words) -> Remedy:
    message = w().replace("(#", "(")  # a number in brackets at the end would rightly be shown as the pull request
    return Remedy("revert", "a1" * 20, summary=f'Revert "{subject(message)}" (a1a1a1a)')


def diagnosis(w: Words, fix: Remedy, many: int = 4) -> Diagnosis:
    return Diagnosis(
        "culprit",
        w(),
        tuple(Suspect("change" if n % 2 else "dependency", w(), w(), 0.5) for n in range(many)),
        tuple(Claim(w(), (w(), "x1"), n % 2 == 0) for n in range(many)),
        tuple(Feature(w(), 0.5, 1.0, w()) for _ in range(many)),
        0.95,
        "brain",
        w(),
        fix,
        (3, 8),
        w(),
    )


def verdict(w: Words) -> Verdict:
    leaf = Reason(w(), None, w(), w(), w(), w())
    reasons = tuple(Reason(w(), d, w(), w(), w(), w(), (leaf, leaf)) for d in (Decision.ALLOW, Decision.ASK, Decision.DENY, None))
    return Verdict(Decision.DENY, w(), w(), reasons)


def bodies(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(name, text) of every text that goes into an issue, a pull request or a comment."""
    w = Words(words)
    found = evidence(w)
    case_incident = incident(w, found)
    for kind, fix in (("bound", remedy(w)), ("revert", revert(w))):
        record = DiagnosisRecord(2, diagnosis(w, fix), "f" * 40)
        pull = s.pull("merged")
        ended = s.ended(OutcomeKind.FAILED, w(), after=s.AFTER)
        one = s.attempt(2, record, fix=pull, outcome=ended, evidence=found)
        bare = s.attempt(1, None, evidence=found)
        f = replace(s.facts(s.bad_release(), bare, one), incident=case_incident, affected=found.affected, upstream=found.upstream)
        changes = (FileChange(w(), "a", "b"), FileChange(w(), None, "b"), FileChange(w(), "a", None))
        plan = Proposal(fix, "f" * 40, changes, 1, 2, (w(), w()))
        yield f"{kind} diagnosis", texts.diagnosis(record, found, s.POLICIES, s.LINKS)
        yield f"{kind} pull", texts.pull_body(f, one, plan, s.LINKS, undo=False, author=w())
        yield f"{kind} undo", texts.pull_body(f, one, plan, s.LINKS, undo=True, author=w())
        yield f"{kind} outcome", texts.outcome(ended, f, s.POLICIES, s.LINKS)
        yield f"{kind} status", texts.status(f, s.POLICIES, s.LINKS)
        yield f"{kind} call", texts.escalation(f, Call.ATTEMPTS, s.LINKS)
        yield f"{kind} call with evidence", texts.escalation(replace(f, attempts=(bare,)), Call.UNSURE, s.LINKS)
        learnt = lesson(case_incident, record, ended, issue=4, title=w(), opened_s=NOW_S)
        yield f"{kind} post-mortem", texts.post_mortem(learnt, case_incident, ended, s.LINKS)
        yield f"{kind} merge message", texts.merge_message(f, True)
        yield f"{kind} commit body", texts.commit_body(f, one, False)
    yield "issue", texts.issue_body(case_incident.signal, found, s.POLICIES, s.LINKS)
    run = replace(s.RUN, conclusion=w())
    yield "verdict", texts.verdict(VerdictRecord(5, verdict(w)), run, s.LINKS)
    yield "closing", texts.closing_pull(w())
    yield "refused", notices.merge_refused(w())


def titles(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(name, text) of every first line: no Markdown there, but references and words in brackets count."""
    w = Words(words)
    yield "issue", texts.issue_title(incident(w, Evidence(0.0)).signal)
    yield "bound", texts.commit_title(remedy(w), False)
    yield "revert", texts.commit_title(revert(w), False)
    yield "free summary", texts.commit_title(Remedy("revert", w(), summary=w()), False)
    yield "undo", texts.commit_title(Remedy("revert", "b2" * 20, summary="undo #5"), True)
    yield "merge", texts.merge_title(replace(s.pull().pull, title=w()))
