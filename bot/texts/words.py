"""Phrases that several texts share: a remedy in words, why it is safe, a cause with its links, confidence with its features."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.evidence import Affected, Evidence
from bot.model import Diagnosis, Feature, Finding, Measurement, Remedy, Signal, SignalKind
from bot.texts.figures import a_minute, count, duration, limit_percent, lines_a_minute, percent, table
from bot.texts.links import Links
from bot.texts.safe import code, fence, plain

CLAIMS_SHOWN = 12
FINDINGS_SHOWN = 12
FINDING_CHARS = 600
_SUMMARY = re.compile(r'Revert "(?P<subject>.*)" \([0-9a-f]{7,}\)')
_PULL = re.compile(r"\s*\(#(?P<number>[1-9][0-9]{0,8})\)$")
_COMMIT = re.compile(r"(?<![\w/])[0-9a-f]{7}(?![\w/])")


def operation(signal: Signal) -> str:
    return f"{code(signal.operation)} in {code(signal.service)}"


_UNWELL = {
    "latency": "too slow",
    "errors": "failing",
    "throughput": "without its usual traffic",
    "saturation": "nearly used up",
    "log-errors": "unusually many",
}


def affected_words(affected: Sequence[Affected], limit: int = 5) -> str:
    """`POST /x` in `y` (too slow), … and 3 more"""
    shown = [f"{code(a.operation)} in {code(a.service)} ({_UNWELL.get(a.kind) or plain(a.kind, 30)})" for a in affected[:limit]]
    return ", ".join(shown) + (f" and {len(affected) - limit} more" if len(affected) > limit else "")


def upstream_words(upstream: Sequence[str], limit: int = 5) -> str:
    return ", ".join(code(service) for service in upstream[:limit])


def figure(signal: Signal, m: Measurement) -> str:
    """The figure that the incident is about."""
    if signal.kind is SignalKind.SATURATION:
        return f"{percent(m.share)} in use" if m.share is not None else "not reported"
    if signal.kind is SignalKind.LOG_ERRORS:
        return f"{lines_a_minute(m)}"
    if signal.kind is SignalKind.THROUGHPUT:
        return f"{a_minute(m)} requests" if m.requests else "no requests"
    return f"p99 {duration(m.p99_ms)}" if signal.kind is SignalKind.LATENCY else f"{percent(m.error_ratio)} failed"


def objective(signal: Signal) -> str:
    if signal.kind is SignalKind.THROUGHPUT:
        return f"usually {a_minute(signal.before)}"
    o = signal.objective
    if signal.kind is SignalKind.SATURATION:
        return f"below {limit_percent(o.limit or 1.0)} in use"
    if signal.kind is SignalKind.LOG_ERRORS:
        return f"at most {count(round(o.error_ratio * 60), 'error line')} a minute"
    return f"at most {duration(o.p99_ms)}" if signal.kind is SignalKind.LATENCY else f"at most {limit_percent(o.error_ratio)}"


def reverted(remedy: Remedy) -> tuple[str, int]:
    """The first line of the commit that a revert takes back ("": not recorded), and the pull request it came from (0: unknown)."""
    found = _SUMMARY.fullmatch(remedy.summary)
    if remedy.kind != "revert" or found is None:
        return "", 0
    subject, pull = found["subject"], _PULL.search(found["subject"])
    return (subject[: pull.start()], int(pull["number"])) if pull else (subject, 0)


def remedy_words(remedy: Remedy, links: Links) -> str:
    if remedy.kind == "revert":
        subject, pull = reverted(remedy)
        brought = ", ".join(x for x in (f"“{plain(subject, 80)}”" if subject else "", f"from #{pull}" if pull else "") if x)
        return f"revert {links.commit(remedy.commit)}{f' ({brought})' if brought else ''}"
    settings = ", ".join(f"{code(name)} = {code(value)}" for name, value in remedy.parameters[:10])
    return f"put bounds on the calls of {code(remedy.service)} to {code(remedy.dependency)}: {settings}"


def done_words(remedy: Remedy, links: Links) -> str:
    """The same in the past tense."""
    words = remedy_words(remedy, links)
    return f"reverted {words.removeprefix('revert ')}" if remedy.kind == "revert" else words  # «put» is its own past


def safety_words(remedy: Remedy, undo: bool = False) -> str:
    if undo:
        return "It takes out a change that did not heal anything and leaves the code as it was before."
    if remedy.kind == "revert":
        return (
            "It brings back code that ran before the incident and keeps every later change."
            " Once the change is mended, reverting this revert lands it again."
        )
    omitted = " and left out of the answer" if ("fallback", "omit") in remedy.parameters else ""
    return (
        f"It changes settings of one dependency in one manifest, and no code. A call that hangs is cut off{omitted};"
        " calls that are answered in their normal time are not affected. Reverting the commit brings the old settings back."
    )


def sentence(text: str, d: Diagnosis | None, links: Links, limit: int = 600) -> str:
    """A sentence of a diagnosis, with links to the commits that the diagnosis itself names. Anything else in it is plain text."""
    names = [s.name for s in d.suspects if s.kind == "change"] + ([d.remedy.commit] if d.remedy else []) if d else []
    return linked(text, names, links, limit)


def linked(text: str, commits: Sequence[str], links: Links, limit: int = 600) -> str:
    """Plain text in which these commits, where their first seven digits stand, are links."""
    known = {sha[:7]: sha for sha in commits if sha}
    return _COMMIT.sub(lambda m: links.commit(known[m[0]]) if m[0] in known else m[0], plain(text, limit))


def answered_words(d: Diagnosis) -> str:
    """Who found the cause, and how."""
    numbers = ", ".join(f"#{n}" for n in d.recalled[:5])
    if d.answered_by == "cag":
        past = numbers or "an earlier incident"
        return f"CAG knew it from memory, without a model: {past} had the same kind of cause, and this kind of remedy healed it"
    how = {"evidence": "from the evidence alone, without a model"}.get(d.reasoner, f"with {plain(d.reasoner, 120)}")
    return f"Brain worked it out {how}" + (f"; similar incidents: {numbers}" if numbers else "")


def confidence_words(d: Diagnosis, limit: float) -> str:
    needs = f"an autonomous fix needs more than {limit:.2f}"
    return f"**{d.confidence:.3f}** ({needs})" if d.confidence > limit else f"**{d.confidence:.3f}**, not enough to act alone ({needs})"


def features_table(features: Sequence[Feature]) -> str:
    rows = [[code(f.name), f"{f.value:.2f}", f"{f.weight:+.2f}", plain(f.why, 200)] for f in features[:20]]
    return table(["feature", "observed", "weight (log-odds)", "because"], rows)


def findings_list(findings: Sequence[Finding]) -> str:
    """What was looked up, with which tool, and what it gave; other people's text stays text."""
    told = [f"{one.id} {one.lookup.tool.replace('_', ' ')}: {one.text}" for one in findings[:FINDINGS_SHOWN]]
    return fence("\n\n".join(text[:FINDING_CHARS] for text in told))


def claims_list(d: Diagnosis, evidence: Evidence) -> str:
    """Every claim with the evidence that it cites; the ones that the challenge did not confirm are struck."""
    known = evidence.ids() | {finding.id for finding in d.findings}
    lines = []
    for claim in d.claims[:CLAIMS_SHOWN]:
        cited = ", ".join(code(i, 20) for i in claim.evidence[:12] if i in known)
        text = plain(claim.text, 300)
        words = f"~~{text}~~ The evidence does not show this." if claim.holds is False else text
        lines.append(f"- {words}" + (f" ({cited})" if cited else ""))
    if len(d.claims) > CLAIMS_SHOWN:
        lines.append(f"- … and {len(d.claims) - CLAIMS_SHOWN} more")
    return "\n".join(lines) or "- none"
