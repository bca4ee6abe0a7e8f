"""How far Brain's confidence can be believed, on made-up incidents with known culprits; and its weights, fitted again.

    python -m benchmarks.confidence [--cases N] [--calibrate] [--json]

Weights are judged on seeds that the fit has not seen. How the features weigh against each other was set by hand, and so was their sign;
the fit scales and shifts the log-odds of each kind of suspect (Platt, "Probabilistic outputs for support vector machines", 1999): two
parameters, because these incidents are made up, and more would learn how they were. In turn with that, each feature that an autonomous fix
must not go without is made heavy enough for its absence to bring the confidence to 0.90 or less. Expected calibration error: Naeini et
al., AAAI 2015, with bins of equal width.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.confidence_cases import Labelled, generate
from bot.diagnosis.challenge import challenge, supported
from bot.diagnosis.confidence import measures_of, weigh
from bot.diagnosis.localise import localise
from bot.diagnosis.reasoner import EvidenceReasoner
from bot.diagnosis.remedies import propose_remedy
from bot.policy.load import load_directory
from bot.policy.schema import ConfidenceModel, Policies

HELD_OUT = 1_000_000  # seeds from here on are never fitted
BINS = 10
ENOUGH = 0.90
STEPS, SCALE_RATE, SHIFT_RATE = 2_000, 0.02, 0.05
ROUNDS = 5  # of scaling and of making the needed features heavy enough, which pull against each other
MAX_SCALE = 1.0  # made-up incidents are cleaner than real ones: the fit may flatten the weights that people set, not sharpen them
NEEDED = {
    "dependency": ("edge_worse", "explains_excess", "deepest", "unrivalled", "remedy_ready"),
    "change": ("deploy_match", "code_match", "unrivalled", "remedy_ready"),
    "timing": ("deploy_match", "code_match", "unrivalled", "remedy_ready"),
    "setting": ("deploy_match", "remedy_ready"),
}


@dataclass(frozen=True)
class Answer:
    """Brain's first suspect in one incident, by the evidence alone. `kind` "": it named nobody."""

    family: str
    kind: str
    features: tuple[tuple[str, float], ...]
    confidence: float
    right: bool
    has_culprit: bool


def shipped() -> Policies:
    return load_directory(Path(__file__).parents[1] / "policies")


def answer(one: Labelled) -> Answer:
    """What Brain would say of a case, and whether it is right."""
    found = localise(one.case).candidates
    claims = challenge(one.case, EvidenceReasoner().opine(one.case).claims)
    ranked = [candidate for candidate in found if supported(candidate, claims)]
    if not ranked:
        return Answer(one.family, "", (), 0.0, not one.culprits, bool(one.culprits))
    first = ranked[0]
    ready = propose_remedy(one.case, first.suspect, one.policies) is not None
    features, confidence = weigh(first.model, measures_of(first, remedy_ready=ready), one.policies)
    values = tuple((feature.name, feature.value) for feature in features)
    return Answer(one.family, first.model, values, confidence, first.suspect.name in one.culprits, bool(one.culprits))


def answers(seeds: Sequence[int], policies: Policies) -> list[Answer]:
    return [answer(generate(seed, policies)) for seed in seeds]


def log_odds(one: Answer, model: ConfidenceModel) -> float:
    values = dict(one.features)
    return model.bias + sum(weight * values[name] for name, weight in model.weights)


def confidence_of(one: Answer, models: dict[str, ConfidenceModel]) -> float:
    return sigmoid(log_odds(one, models[one.kind]))


def report(found: Sequence[Answer], models: dict[str, ConfidenceModel]) -> dict[str, Any]:
    """Reliability of the answers that name somebody, and what an autonomous fix would have been."""
    named = [(confidence_of(one, models), one) for one in found if one.kind]
    bins = []
    for i in range(BINS):
        inside = [(c, one.right) for c, one in named if min(int(c * BINS), BINS - 1) == i]
        if inside:
            mean, right = sum(c for c, _ in inside) / len(inside), sum(r for _, r in inside) / len(inside)
            bins.append({"from": i / BINS, "cases": len(inside), "confidence": round(mean, 3), "right": round(right, 3)})
    sure = [one for c, one in named if c > ENOUGH]
    return {
        "cases": len(found),
        "named": len(named),
        "right": round(sum(one.right for _, one in named) / max(1, len(named)), 3),
        "ece": round(sum(b["cases"] * abs(b["confidence"] - b["right"]) for b in bins) / max(1, len(named)), 3),
        "sure": len(sure),
        "sure_share": round(len(sure) / max(1, len(found)), 3),
        "sure_precision": round(sum(one.right for one in sure) / max(1, len(sure)), 3),
        "sure_low": round(wilson_low(sum(one.right for one in sure), len(sure)), 3),
        "reliability": bins,
        "families": {family: _family(family, found, models) for family in dict.fromkeys(one.family for one in found)},
    }


def _family(family: str, found: Sequence[Answer], models: dict[str, ConfidenceModel]) -> dict[str, Any]:
    own = [one for one in found if one.family == family]
    sure = [one for one in own if one.kind and confidence_of(one, models) > ENOUGH]
    return {
        "cases": len(own),
        "first_right": sum(one.right for one in own),
        "sure": len(sure),
        "sure_right": sum(one.right for one in sure),
    }


def fit(found: Sequence[Answer], models: dict[str, ConfidenceModel]) -> dict[str, ConfidenceModel]:
    """The models that these answers speak for."""
    for _ in range(ROUNDS):
        models = {kind: _needed(kind, _scaled([a for a in found if a.kind == kind], model)) for kind, model in models.items()}
    return models


def _scaled(found: Sequence[Answer], model: ConfidenceModel) -> ConfidenceModel:
    """Platt's two parameters, by gradient descent: log-odds become scale × log-odds + shift.

    A kind that never has a remedy stays as it is: being right makes no answer sure enough to act when there is nothing to do.
    """
    if not any(dict(one.features)["remedy_ready"] for one in found):
        return model
    rows = [(log_odds(one, model), float(one.right)) for one in found]
    scale, shift = 1.0, 0.0
    for _ in range(STEPS if rows else 0):
        wrong = [(z, sigmoid(scale * z + shift) - right) for z, right in rows]
        scale = min(MAX_SCALE, scale - SCALE_RATE * sum(z * w for z, w in wrong) / len(rows))
        shift -= SHIFT_RATE * sum(w for _, w in wrong) / len(rows)
    weights = ((name, round(scale * weight, 1)) for name, weight in model.weights)
    return ConfidenceModel(round(scale * model.bias + shift, 1), tuple(weights))


def _needed(kind: str, model: ConfidenceModel) -> ConfidenceModel:
    """Without any one of the needed features at most ENOUGH; with all of them as before."""
    bias, weights = model.bias, dict(model.weights)
    for name in NEEDED.get(kind, ()):
        full = bias + sum(weight for weight in weights.values() if weight > 0)
        lacking = math.ceil(10 * (full - weights[name] - math.log(ENOUGH / (1 - ENOUGH)) + 0.01)) / 10
        if lacking > 0:
            weights[name], bias = round(weights[name] + lacking, 1), round(bias - lacking, 1)
    return ConfidenceModel(bias, tuple(weights.items()))


def wilson_low(right: int, cases: int, z: float = 1.96) -> float:
    """Lower end of Wilson's 95 % interval (Wilson, 1927)."""
    if not cases:
        return 0.0
    share, spread = right / cases, z * z / cases
    return (share + spread / 2 - z * math.sqrt((share * (1 - share) + spread / 4) / cases)) / (1 + spread)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def as_text(title: str, figures: dict[str, Any]) -> str:
    named, cases, right, ece = (figures[key] for key in ("named", "cases", "right", "ece"))
    lines = [f"{title}: somebody named in {named} of {cases} incidents, rightly in {right:.0%} of them; ECE {ece:.3f}"]
    lines.append(
        f"  above {ENOUGH:.2f}: {figures['sure']} ({figures['sure_share']:.0%}), {figures['sure_precision']:.1%} right"
        f" (at least {figures['sure_low']:.1%} with 95 % certainty)"
    )
    lines += [
        f"  from {b['from']:.1f}: {b['cases']:5} said {b['confidence']:.2f}, were right {b['right']:.2f}" for b in figures["reliability"]
    ]
    lines += [
        f"  {family}: first right {f['first_right']}/{f['cases']}, sure {f['sure']}, of these right {f['sure_right']}"
        for family, f in figures["families"].items()
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.confidence", description="How far confidence can be believed.")
    parser.add_argument("--cases", type=int, default=2_800)
    parser.add_argument(
        "--calibrate", action="store_true", help="fit the weights on other seeds and print them as policies/confidence.yaml has them"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    policies = shipped()
    models = {kind: model for kind, model in policies.confidence if kind in NEEDED}
    held_out = answers(range(HELD_OUT, HELD_OUT + options.cases), policies)
    out: dict[str, Any] = {"shipped": report(held_out, models)}
    if options.calibrate:
        models = fit(answers(range(options.cases), policies), models)
        out["fitted"] = report(held_out, models)
        out["weights"] = {kind: {"bias": model.bias, "weights": dict(model.weights)} for kind, model in models.items()}
    if options.json:
        print(json.dumps(out, indent=1))
        return 0
    for title in ("shipped", "fitted"):
        if title in out:
            print(as_text(title, out[title]))
    if options.calibrate:
        print(json.dumps(out["weights"], indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
