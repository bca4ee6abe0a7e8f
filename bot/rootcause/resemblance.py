"""How much two incidents resemble each other by what is different in them: the structured memory for recorded telemetry.

An incident becomes traits: which service shows which kind of fault, at which operation, and between which places in the code, each with
how far it stands out from health, and in which place: what stands out most says most about a cause, and the further down, the less
(the discount of cumulated gain: Järvelin and Kekäläinen, 2002). Figures, times and ids are no part of a trait's name. Two incidents
resemble each other by the cosine of their traits (vector space model: Salton, Wong and Yang, 1975), less for what stands out too little
to be told from chance.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.rootcause.model import Finding, View
from bot.signature import shape

_FIGURES = re.compile(
    r"\b(?:\d+|none|all) of \d+\b| \(and \d+ more[^)]*\)"
)  # a log finding's sentence without them names places in the code

Trait = tuple[str, ...]
Traits = Mapping[Trait, float]

OPERATION = 0.5  # an operation weighs half: a fault shows at several, now more at one, now at another
SQUARED = 2.0  # strength 1.0 (the oddest of health) weighs a half, a third of it a tenth
CHANCE = 0.15  # squared weight of what chance alone may show on either side: four of five healthy looks show less
RESEMBLES = 0.55  # more in common than apart: the same fault at another place in the code has 0.52
MARGIN = 0.05  # nearer than any past incident of another cause by so much


@dataclass(frozen=True, slots=True)
class Past:
    """`cause` "" when it was never found: then it is a cause of its own."""

    id: str
    cause: str
    traits: Traits


@dataclass(frozen=True, slots=True)
class Recalled:
    """`hit` None: nothing resembles it enough, or two causes do. `score` 0..1 is the best resemblance, hit or not."""

    hit: str | None
    score: float
    ranked: tuple[tuple[str, float], ...]  # all past incidents, most alike first


def traits(views: Sequence[View]) -> Traits:
    """What stands out in an incident, each trait weighed 0..1. Symptoms of another service's fault are left out."""
    found: dict[Trait, float] = {}
    for view in views:
        places: dict[tuple[str, str], int] = {}  # of the services' faults, strongest first; strengths compare within one source only
        for finding in sorted((one for one in view.findings if not one.symptom_of), key=lambda one: -one.strength):
            place = places.setdefault((finding.service, finding.fault), len(places))
            strength = finding.strength**SQUARED
            weight = strength / (1.0 + strength) / math.log2(2 + place)
            for trait, share in _names(finding):
                found[trait] = max(found.get(trait, 0.0), share * weight)
    return found


def _names(finding: Finding) -> list[tuple[Trait, float]]:
    """The finding's traits, each with its share of the finding's weight."""
    names: list[tuple[Trait, float]] = [(("fault", finding.service, finding.fault), 1.0)]
    if finding.operation:
        names.append((("operation", finding.service, finding.fault, shape(finding.operation)), OPERATION))
    if finding.source == "logs":
        names.append((("place", finding.service, _FIGURES.sub("", finding.what)), 1.0))
    return names


def resemblance(a: Traits, b: Traits) -> float:
    """0..1, symmetric; 1 only for the same traits that all stand out."""
    common = sum(weight * b.get(trait, 0.0) for trait, weight in a.items())
    return common / math.sqrt((_squares(a) + CHANCE) * (_squares(b) + CHANCE))


def _squares(one: Traits) -> float:
    return sum(weight * weight for weight in one.values())


def recall(asked: Traits, past: Sequence[Past]) -> Recalled:
    """The past incident that this one is like. Ties go to the first one by id."""
    ranked = sorted(((resemblance(asked, one.traits), one) for one in past), key=lambda pair: (-pair[0], pair[1].id))
    if not ranked:
        return Recalled(None, 0.0, ())
    score, best = ranked[0]
    other = max((near for near, one in ranked[1:] if not best.cause or one.cause != best.cause), default=0.0)
    known = score >= RESEMBLES and score - other >= MARGIN
    return Recalled(best.id if known else None, score, tuple((one.id, near) for near, one in ranked))
