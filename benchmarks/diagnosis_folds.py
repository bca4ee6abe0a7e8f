"""Confidence out of fold: every case is judged by weights that never saw its family; and the weights that the package ships."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.diagnosis_cases import Case, Stress
from benchmarks.diagnosis_score import Row, within
from bot.errors import Refused
from bot.rootcause.calibrate import Example, Weights, fit
from bot.rootcause.fuse import features, fuse, judge, rank
from bot.rootcause.model import Answer, View


@dataclass(frozen=True)
class Seen:
    """What the analyses found in a case; `seconds` they took."""

    case: Case
    stress: Stress
    views: tuple[View, ...]
    seconds: float


def examples(seen: Iterable[Seen], weight: float = 1.0) -> list[Example]:
    """What confidence learns from: cases that have an answer."""
    found = []
    for one in seen:
        if not any(view.comparable for view in one.views):
            continue
        suspects = rank(one.views)
        verdict = judge(suspects)
        first = within({suspect.service: suspect.score for suspect in suspects}, one.case.service)[0]
        right = (first if verdict == "culprit" else 0.0) if one.case.service else float(verdict == "no-culprit")
        found.append(Example(verdict, features(one.views, suspects), right, one.case.family, weight))
    return found


def out_of_fold(seen: Sequence[Seen], known: Sequence[Example], fallback: Weights, folds: str = "family") -> list[Row]:
    """One row a case. `folds`: what is left out together, "family" or "suite". `fallback` judges where too little is left to fit."""
    kept: dict[str, Weights] = {}
    rows = []
    for one in seen:
        left_out = one.case.family if folds == "family" else one.case.suite
        if left_out not in kept:
            rest = [example for example in known if (example.family if folds == "family" else example.family.split("/")[0]) != left_out]
            kept[left_out] = _fitted(rest, fallback)
        rows.append(row(one, fuse(one.views, kept[left_out])))
    return rows


def _fitted(rest: Sequence[Example], fallback: Weights) -> Weights:
    try:
        return fit(rest)
    except Refused:
        return fallback


def row(seen: Seen, answer: Answer) -> Row:
    case = seen.case
    first, third, fifth = within({suspect.service: suspect.score for suspect in answer.suspects}, case.service)
    return Row(
        suite=case.suite,
        case=case.name,
        family=case.family,
        faulty=case.service is not None,
        verdict=answer.verdict,
        confidence=answer.confidence,
        top=(first, third, fifth),
        seconds=seen.seconds,
        suspects=tuple((suspect.service, round(suspect.score, 3)) for suspect in answer.suspects[:5]),
        truth=case.service or "",
    )
