"""Confidence: named features of the evidence, weighed by a logistic model whose weights are policy. No model's own opinion of itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bot.diagnosis.candidate import Candidate, Measure
from bot.diagnosis.rank import Dissent
from bot.errors import Refused
from bot.model import Feature
from bot.policy.schema import Policies


def weigh(model: str, measures: Sequence[Measure], policies: Policies) -> tuple[tuple[Feature, ...], float]:
    """The features in the order of the policy's `model`, and sigmoid(bias + Σ weight × value), rounded to four digits.

    A weight whose feature was not measured counts as 0. Raises Refused for a measured feature that policies/confidence.yaml does not weigh.
    """
    models = dict(policies.confidence)
    if model not in models:
        raise Refused(f"policies/confidence.yaml has no model {model!r}: add one")
    weights, seen = models[model], {m.name: m for m in measures}
    if unknown := sorted(set(seen) - {name for name, _ in weights.weights}):
        raise Refused(f"policies/confidence.yaml: {model} has no weight for {unknown[0]!r}: add one")
    features = tuple(
        Feature(name, round(seen[name].value, 4) if name in seen else 0.0, weight, seen[name].why if name in seen else "not observed")
        for name, weight in weights.weights
    )
    log_odds = weights.bias + sum(feature.weight * feature.value for feature in features)
    return features, round(_sigmoid(log_odds), 4)


def measures_of(candidate: Candidate, *, remedy_ready: bool, dissent: Dissent | None = None) -> tuple[Measure, ...]:
    """A candidate's measures, plus whether a remedy is at hand and, when a reasoner named another culprit, that (it can only lower)."""
    ready = "its remedy's precondition holds" if remedy_ready else "no remedy that we know applies"
    extra = [Measure("remedy_ready", 1.0 if remedy_ready else 0.0, ready)]
    share, why = (dissent.share, dissent.why) if dissent else (0.0, "nobody disagrees")
    extra.append(Measure("reasoner_disagrees", share, why))
    return (*candidate.measures, *extra)


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))
