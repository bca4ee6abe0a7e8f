"""Views of logs, traces and metrics become one ranking and one verdict.

Strengths have one unit, the oddest healthy stretch, so they add up: two sources that accuse the same service independently are stronger
than one, while sources that err do so on different services. Where spans or log lines tell what requests went through, metrics only add to
it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from bot.rootcause.calibrate import Features, Weights, confidence
from bot.rootcause.model import Answer, Finding, Suspect, Verdict, View
from bot.rootcause.reasons import reasons

CULPRIT_SCORE = 1.0  # by definition the strength of the oddest healthy stretch
EXPLAINED_SHARE = 0.1  # of its strength that a finding keeps when another service's finding explains it
METRICS_BESIDE = 0.5  # of their strength that metrics keep beside spans or log lines: processor time and system calls drift from day to day
MIN_CONFIDENCE = 0.5  # below, a culprit is more likely wrong than right, and nobody is named
ALONE_CULPRIT, ALONE_QUIET = (
    0.80,
    0.60,
)  # of traces without a baseline: no labelled real ones exist to calibrate on, so below what is acted upon


def fuse(views: Sequence[View], weights: Weights) -> Answer:
    """Suspects by the sum of what each source holds against them. Services without a name are no suspects."""
    suspects = rank(views)
    comparable = [view for view in views if view.comparable]
    if not comparable:
        return Answer("inconclusive", 0.0, suspects, tuple(views), reasons("inconclusive", suspects, views))
    verdict = judge(suspects)
    alone = any(view.features.get("alone") for view in comparable)
    sure = (ALONE_CULPRIT if verdict == "culprit" else ALONE_QUIET) if alone else confidence(verdict, features(views, suspects), weights)
    if sure < MIN_CONFIDENCE:
        verdict, sure = "inconclusive", 0.0
    return Answer(verdict, sure, suspects, tuple(views), reasons(verdict, suspects, views))


def judge(suspects: Sequence[Suspect]) -> Verdict:
    """Before it is asked how sure that is: "culprit" or "no-culprit"."""
    named = bool(suspects) and suspects[0].score >= CULPRIT_SCORE and not all(one.symptom_of for one in suspects[0].findings)
    return "culprit" if named else "no-culprit"


def rank(views: Iterable[View]) -> tuple[Suspect, ...]:
    """Every service with a finding, the most accused first."""
    told = [view for view in views if view.comparable]
    beside = any(view.source != "metrics" for view in told)
    scores: dict[str, float] = defaultdict(float)
    found: dict[str, list[Finding]] = defaultdict(list)
    for view in told:
        best: dict[str, float] = defaultdict(float)
        for one in view.findings:
            if one.service:
                found[one.service].append(one)
                best[one.service] = max(best[one.service], weigh(one, beside))
        for service, score in best.items():
            scores[service] += score
    order = sorted(found, key=lambda service: (-scores[service], service))
    return tuple(Suspect(one, scores[one], tuple(sorted(found[one], key=lambda f: (-weigh(f, beside), f.what)))) for one in order)


def weigh(finding: Finding, beside: bool) -> float:
    """What a finding adds to its service's score. `beside`: spans or log lines were compared too; then metrics that nobody can name add
    nothing."""
    kept = EXPLAINED_SHARE if finding.symptom_of else 1.0
    if beside and finding.source == "metrics":
        kept *= 0.0 if finding.fault == "unknown" else METRICS_BESIDE
    return finding.strength * kept


def features(views: Sequence[View], suspects: Sequence[Suspect]) -> Features:
    """What confidence is computed from."""
    first, second = (*(suspect.score for suspect in suspects[:2]), 0.0, 0.0)[:2]
    compared = [view.features.get("compared", 0.0) for view in views if view.comparable]
    return Features(score=first / CULPRIT_SCORE, margin=(first - second) / first if first else 0.0, compared=max(compared, default=0.0))
