"""The challenge: a claim holds only if the evidence that it cites exists, shows something abnormal, and contains its figures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from bot.diagnosis.candidate import Candidate
from bot.diagnosis.case import CLOCK_SLACK_S, Case, is_new, onset_s
from bot.diagnosis.edges import operation_excess, shift
from bot.diagnosis.plain import plain
from bot.diagnosis.silence import begun
from bot.diagnosis.spent import spent
from bot.evidence import EdgeStat, ErrorGroup, Evidence, Histogram
from bot.model import Claim, SignalKind

TOLERANCE = 0.06  # of a figure: people and models round
EXACT = 1e-6  # for floating point
CLOCK_S = 1.0  # a time of day is written without fractions
DAY_S = 86_400.0
ABNORMAL = 0.1  # an edge that got worse by less than this shows nothing

_FIGURE = re.compile(r"(?<![\w.-])(\d+(?:\.\d+)?)\s?(ms|milliseconds|seconds|s|%|percent|times as|times longer|×|x)(?!\w)")
_OF = re.compile(r"(?<![\w.-])(\d+) of (?:the )?(\d+)(?![\w.])")
_CLOCK = re.compile(r"(?<![\w.:-])(\d{1,2}):(\d{2}):(\d{2})(?![\w:])")
_UNITS = {"ms": "ms", "milliseconds": "ms", "s": "ms", "seconds": "ms", "%": "share", "percent": "share"}
_SCALES = {"s": 1000.0, "seconds": 1000.0, "%": 0.01, "percent": 0.01}


@dataclass(frozen=True)
class Stated:
    """A figure in a claim. `slack` is half of its last digit: what is written as 0.0 s may have been anything below 50 ms."""

    kind: str  # ms | share | times | count | clock (seconds of the day)
    figure: float
    slack: float


def challenge(case: Case, claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """The claims with `holds` set."""
    return tuple(replace(claim, holds=_holds(case, claim)) for claim in claims)


def supported(candidate: Candidate, claims: Iterable[Claim]) -> bool:
    """Whether a claim that holds rests on evidence of this very suspect."""
    return any(claim.holds and set(claim.evidence) & set(candidate.own) for claim in claims)


def evidence_ids(case: Case) -> frozenset[str]:
    """Everything that a claim may cite."""
    return case.evidence.ids() | {finding.id for finding in case.found}


def _holds(case: Case, claim: Claim) -> bool:
    cited = set(claim.evidence)
    if not cited or not cited <= evidence_ids(case) or not any(_abnormal(case, one) for one in cited):
        return False
    known = list(_figures(case, cited))
    return all(any(_same(figure, other) for other in known) for figure in _stated(claim.text))


def _abnormal(case: Case, evidence_id: str) -> bool:
    """Whether this piece of evidence shows anything that was not so before."""
    evidence, onset = case.evidence, onset_s(case.incident, case.evidence)
    if any(shift(edge, case).worse >= ABNORMAL for edge in evidence.edges if edge.id == evidence_id):
        return True
    if any(is_new(group) for group in evidence.errors if group.id == evidence_id):
        return True
    if any(mark.first_seen_s <= onset + CLOCK_SLACK_S for mark in evidence.deploys if mark.id == evidence_id):
        return True
    if any(change.first_seen_s <= onset + CLOCK_SLACK_S for change in evidence.changes if change.id == evidence_id):
        return True
    if any(group.count > group.before_count for group in evidence.logs if group.id == evidence_id):
        return True
    if any(_shifted(one) for one in evidence.histograms if one.id == evidence_id):
        return True
    if any(one.id == evidence_id for one in evidence.differences):
        return True
    if any(finding.telling for finding in case.found if finding.id == evidence_id):
        return True
    return any(trace.bad and evidence_id in (trace.id, *(span.id for span in trace.spans)) for trace in evidence.traces)


def _shifted(one: Histogram) -> bool:
    """Whether an abnormal share of the requests takes as long now as (almost) none did before."""
    seldom = [now for before, now in zip(one.before, one.now, strict=False) if before * 100 <= sum(one.before)]
    return sum(seldom) >= ABNORMAL * sum(one.now) > 0


def _stated(text: str) -> Iterator[Stated]:
    for number, unit in _FIGURE.findall(text):
        scale, digits = _SCALES.get(unit, 1.0), len(number.partition(".")[2])
        yield Stated(_UNITS.get(unit, "times"), float(number) * scale, 0.5 * 10.0**-digits * scale + EXACT)
    for part, whole in _OF.findall(text):
        yield Stated("count", float(part), 0.0)
        yield Stated("count", float(whole), 0.0)
    for hours, minutes, seconds in _CLOCK.findall(text):
        yield Stated("clock", int(hours) * 3600.0 + int(minutes) * 60.0 + int(seconds), CLOCK_S)


def _same(stated: Stated, known: tuple[str, float]) -> bool:
    kind, other = known
    if stated.kind != kind:
        return False
    share = TOLERANCE * other if kind not in ("count", "clock") else 0.0
    return abs(stated.figure - other) <= max(stated.slack, share)


def _figures(case: Case, cited: set[str]) -> Iterator[tuple[str, float]]:
    """Every figure that the cited evidence (and the signal, which everybody knows) contains or yields."""
    signal, evidence = case.incident.signal, case.evidence
    for measured in (signal.before, signal.now):
        yield from (("ms", value) for value in (measured.p50_ms, measured.p99_ms) if value is not None)
        yield from (("count", float(n)) for n in (measured.requests, measured.errors, measured.slow))
        yield "share", measured.error_ratio
    yield "ms", signal.objective.p99_ms
    yield "ms" if signal.kind is SignalKind.LATENCY else "share", operation_excess(case)
    for edge in evidence.edges:
        if edge.id in cited:
            yield from _edge_figures(edge, case)
    for group in evidence.errors:
        if group.id in cited:
            yield from (("count", float(n)) for n in (group.count, group.before_count))
    for span in (s for t in evidence.traces for s in t.spans if s.id in cited or t.id in cited):
        yield from (("ms", span.duration_ms), ("ms", span.offset_ms))
    yield from _spent_figures(case, cited)
    yield from _added_figures(evidence, cited)
    yield from _found_figures(case, cited)
    yield from (("clock", moment % DAY_S) for moment in _moments(case, cited))
    yield from _gaps(case, [group for group in evidence.errors if group.id in cited], cited)
    bad = [t for t in evidence.traces if t.bad]
    yield from (("count", float(n)) for n in range(len(bad) + 1))


def _spent_figures(case: Case, cited: set[str]) -> Iterator[tuple[str, float]]:
    """What the services of cited spans spend themselves, in good and in bad exemplars, and their share of what these take longer."""
    traces = case.evidence.traces
    if any(span.id in cited for trace in traces for span in trace.spans):
        for one in spent(traces, begun(case)).values():
            if cited & set(one.ids):
                yield from (("ms", one.before_ms), ("ms", one.now_ms), ("share", one.share))


def _added_figures(evidence: Evidence, cited: set[str]) -> Iterator[tuple[str, float]]:
    for one in evidence.differences:
        if one.id in cited:
            yield from (("count", float(n)) for n in (one.bad_count, one.bad_total, one.good_count, one.good_total))
            yield from (
                ("share", part / whole) for part, whole in ((one.bad_count, one.bad_total), (one.good_count, one.good_total)) if whole
            )
            yield "times", one.score
    for group in evidence.logs:
        if group.id in cited:
            yield from (("count", float(n)) for n in (group.count, group.before_count))
    for change in evidence.changes:
        if change.id in cited:
            yield from ((one.kind, one.figure) for value in (change.value, change.previous_value) for one in _stated(plain(value)))
    for took in evidence.histograms:
        if took.id in cited:
            yield from (("ms", edge) for edge in took.upper_ms)
            for counts in (took.before, took.now):
                yield from (("count", float(n)) for n in (*counts, sum(counts)))
                yield from (("share", n / sum(counts)) for n in counts if sum(counts))


def _found_figures(case: Case, cited: set[str]) -> Iterator[tuple[str, float]]:
    """Figures in the answers of tools whose text is ours. Files and memories are other people's text: a figure there proves nothing."""
    for finding in case.found:
        if finding.id in cited and finding.lookup.tool not in ("read_file", "search_memory"):
            yield from ((stated.kind, stated.figure) for stated in _stated(finding.text))


def _edge_figures(edge: EdgeStat, case: Case) -> Iterator[tuple[str, float]]:
    times = (edge.before_p50_ms, edge.before_p99_ms, edge.now_p50_ms, edge.now_p99_ms, edge.self_ms)
    yield from (("ms", value) for value in times if value is not None)
    yield from (("count", float(n)) for n in (edge.before_requests, edge.before_errors, edge.now_requests, edge.now_errors))
    for errors, requests in ((edge.before_errors, edge.before_requests), (edge.now_errors, edge.now_requests)):
        if requests:
            yield "share", errors / requests
    for before, now in ((edge.before_p50_ms, edge.now_p50_ms), (edge.before_p99_ms, edge.now_p99_ms)):
        if before and now is not None:
            yield "times", now / before
            yield "ms", now - before
    one = shift(edge, case)
    yield "share", one.explains


def _moments(case: Case, cited: set[str]) -> Iterator[float]:
    """When the cited evidence, and the incident itself, began."""
    signal, evidence = case.incident.signal, case.evidence
    yield from (signal.first_bad_s, signal.detected_s)
    yield from (mark.first_seen_s for mark in evidence.deploys if mark.id in cited)
    yield from (group.first_seen_s for group in evidence.errors if group.id in cited)
    yield from (change.first_seen_s for change in evidence.changes if change.id in cited)
    yield from (group.first_seen_s for group in evidence.logs if group.id in cited)
    yield from (trace.start_s for trace in evidence.traces if trace.id in cited)


def _gaps(case: Case, groups: list[ErrorGroup], cited: set[str]) -> Iterator[tuple[str, float]]:
    """Milliseconds from a cited deploy or setting to the first error, or to the first bad request."""
    begins = [group.first_seen_s for group in groups] or [case.incident.signal.first_bad_s]
    since = [one.first_seen_s for one in case.evidence.deploys if one.id in cited]
    since += [one.first_seen_s for one in case.evidence.changes if one.id in cited]
    yield from (("ms", max(0.0, begin - moment) * 1000) for moment in since for begin in begins)
