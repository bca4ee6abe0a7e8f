"""Confidence: the chance that an answer is right, by a logistic model of few features that was fitted to labelled incidents.

Platt scaling with its smoothed targets (Platt, "Probabilistic outputs for support vector machines", 1999; the fit by Newton's method as in
Lin, Lin and Weng, 2007). More evidence never makes an answer less sure: a weight that would be negative is left out. The number of
examples in the targets is that of fault families, not of cases: repeated injections of one fault are one experience.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bot.errors import Refused
from bot.rootcause.model import Verdict

PACKAGED = Path(__file__).with_name("weights.json")
MAX_SCORE = 8.0  # times the oddest healthy stretch: beyond, nothing gets surer
HIGHEST = 0.98  # a hundred cases cannot show more
RIDGE = 0.5  # pulls weights towards 0: strong enough that one family more or less changes little
ITERATIONS = 50
CONVERGED = 1e-8


@dataclass(frozen=True, slots=True)
class Features:
    """`score`: the first suspect's, in oddest healthy stretches; `margin`: how much of it the second one lacks; `compared`: 0 to 1, how
    much the best source could compare."""

    score: float
    margin: float
    compared: float


@dataclass(frozen=True, slots=True)
class Model:
    """sigmoid(bias + Σ weight × value)."""

    bias: float
    weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Weights:
    """One model for "culprit", one for "no-culprit"; `fitted_on` says in words on what."""

    culprit: Model
    quiet: Model
    fitted_on: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """An answered case: `right` is 0 or 1, `family` what it must not be judged by, `weight` its share where a case occurs more than
    once."""

    verdict: Verdict
    features: Features
    right: float
    family: str
    weight: float = 1.0


def confidence(verdict: Verdict, features: Features, weights: Weights) -> float:
    """The calibrated chance that `verdict` ("culprit" or "no-culprit") is right."""
    model = weights.culprit if verdict == "culprit" else weights.quiet
    return min(_sigmoid(model.bias + sum(w * x for w, x in zip(model.weights, values(verdict, features), strict=True))), HIGHEST)


def values(verdict: Verdict, features: Features) -> tuple[float, ...]:
    """A culprit is surer the odder it is and the further ahead of the next; "no culprit" the quieter all is and the more was compared. Each
    from 0 to 1."""
    if verdict == "culprit":
        return math.log(min(max(features.score, 1.0), MAX_SCORE)) / math.log(MAX_SCORE), features.margin
    return max(1.0 - features.score, 0.0), features.compared


def fit(examples: Sequence[Example], fitted_on: str = "") -> Weights:
    """Raises Refused when there is nothing to fit a model to."""
    return Weights(_fit_verdict("culprit", examples), _fit_verdict("no-culprit", examples), fitted_on)


def _fit_verdict(verdict: Verdict, examples: Sequence[Example]) -> Model:
    own = [one for one in examples if one.verdict == verdict]
    if not own:
        raise Refused(f"no labelled answer says {verdict!r}: there is nothing to calibrate its confidence with")
    right = len({one.family for one in own if one.right >= 0.5})
    wrong = len({one.family for one in own if one.right < 0.5})
    high, low = (right + 1) / (right + 2), 1 / (wrong + 2)
    rows = [((1.0, *values(verdict, one.features)), low + (high - low) * one.right, one.weight) for one in own]
    kept = list(range(len(rows[0][0])))
    while True:
        beta = _newton([(tuple(x[i] for i in kept), y, w) for x, y, w in rows])
        negative = [i for i, b in zip(kept[1:], beta[1:], strict=True) if b < 0.0]
        if not negative:
            break
        kept = [i for i in kept if i not in negative]
    found = dict(zip(kept, beta, strict=True))
    return Model(round(found[0], 4), tuple(round(found.get(i, 0.0), 4) for i in range(1, len(rows[0][0]))))


def _newton(rows: Sequence[tuple[tuple[float, ...], float, float]]) -> list[float]:
    """Ridge logistic regression; the first value of each row is the bias's and is not pulled."""
    size = len(rows[0][0])
    beta = [0.0] * size
    for _ in range(ITERATIONS):
        gradient = [-RIDGE * b if i else 0.0 for i, b in enumerate(beta)]
        hessian = [[(RIDGE if i == j and i else 0.0) + (1e-9 if i == j else 0.0) for j in range(size)] for i in range(size)]
        for x, y, weight in rows:
            p = _sigmoid(sum(b * v for b, v in zip(beta, x, strict=True)))
            for i in range(size):
                gradient[i] += weight * (y - p) * x[i]
                for j in range(size):
                    hessian[i][j] += weight * p * (1 - p) * x[i] * x[j]
        step = _solve(hessian, gradient)
        beta = [b + max(min(s, 2.0), -2.0) for b, s in zip(beta, step, strict=True)]
        if max(map(abs, step)) < CONVERGED:
            break
    return beta


def _solve(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """Gauss's elimination with pivoting, for a handful of unknowns."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for i in range(len(rows)):
        pivot = max(range(i, len(rows)), key=lambda k: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for k in range(len(rows)):
            if k != i:
                factor = rows[k][i] / rows[i][i]
                rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i], strict=True)]
    return [row[-1] / row[i] for i, row in enumerate(rows)]


def load_weights(path: Path = PACKAGED) -> Weights:
    """Raises Refused when the file is not what `save_weights` writes."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return Weights(_model(said["culprit"]), _model(said["quiet"]), str(said["fitted_on"]))
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise Refused(f"{path} holds no weights of confidence ({problem}): run python -m benchmarks.diagnosis --calibrate") from problem


def save_weights(weights: Weights, path: Path = PACKAGED) -> None:
    path.write_text(json.dumps(asdict(weights), indent=1) + "\n", encoding="utf-8")


def _model(said: Mapping[str, object]) -> Model:
    weights = said["weights"]
    if not isinstance(weights, list) or len(weights) != len(values("culprit", Features(1.0, 0.0, 0.0))):
        raise ValueError("a model has two weights")
    return Model(float(str(said["bias"])), tuple(float(weight) for weight in weights))


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))
