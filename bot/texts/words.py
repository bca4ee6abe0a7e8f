"""Phrases that several texts share: a remedy in words, why it is safe, confidence with its features."""

from __future__ import annotations

from collections.abc import Sequence

from bot.model import Diagnosis, Evidence, Feature, Remedy
from bot.texts.figures import table
from bot.texts.links import Links
from bot.texts.safe import code, plain


def remedy_words(remedy: Remedy, links: Links) -> str:
    if remedy.kind == "revert":
        return f"revert {links.commit(remedy.commit)}"
    settings = ", ".join(f"{code(name)} = {code(value)}" for name, value in remedy.parameters)
    return f"bound the calls of {code(remedy.service)} to {code(remedy.dependency)}: {settings}"


def safety_words(remedy: Remedy, undo: bool = False) -> str:
    if undo:
        return "It takes out a change that did not heal anything and leaves the code as it was before."
    if remedy.kind == "revert":
        return "It brings back code that ran before the incident, and keeps every later change. Landing the change again is another revert."
    return (
        "It changes settings of one dependency in one manifest, no code. A call that would hang is cut off and left out of the answer;"
        " calls that are answered in normal time are not touched. Reverting the commit brings the old settings back."
    )


def confidence_words(d: Diagnosis, limit: float) -> str:
    sure = "above" if d.confidence > limit else "not above"
    return f"**{d.confidence:.3f}** ({sure} the {limit:.2f} that an autonomous fix needs)"


def features_table(features: Sequence[Feature]) -> str:
    rows = [[code(f.name), f"{f.value:.2f}", f"{f.weight:+.2f}", plain(f.why, 200)] for f in features]
    return table(["feature", "observed", "weight (log-odds)", "because"], rows)


def claims_list(d: Diagnosis, evidence: Evidence) -> str:
    """Every claim with the evidence that it cites; the ones that the challenge did not confirm are struck."""
    known = {x.id for part in (evidence.traces, evidence.edges, evidence.errors, evidence.deploys) for x in part}
    known |= {span.id for trace in evidence.traces for span in trace.spans}
    lines = []
    for claim in d.claims:
        cited = ", ".join(code(i) for i in claim.evidence if i in known)
        text = plain(claim.text)
        lines.append(f"- ~~{text}~~ (did not hold)" if claim.holds is False else f"- {text}" + (f" ({cited})" if cited else ""))
    return "\n".join(lines) or "- none"
