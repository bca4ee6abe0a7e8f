"""A candidate: a suspect with the measurements that speak for and against it, before anything is said about confidence."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.model import Claim, Suspect
from bot.signature import Mechanism


@dataclass(frozen=True)
class Measure:
    """One named observation, `value` 0..1, and the sentence that says where it comes from."""

    name: str
    value: float
    why: str


@dataclass(frozen=True)
class Candidate:
    """`own` are the evidence ids that only concern this suspect; `roles` go into the signature; `model` of policies/confidence.yaml
    weighs it."""

    suspect: Suspect
    mechanism: Mechanism
    roles: tuple[str, ...]
    cause: str
    measures: tuple[Measure, ...]
    claims: tuple[Claim, ...]
    own: tuple[str, ...]
    model: str

    def measure(self, name: str) -> float:
        return next((m.value for m in self.measures if m.name == name), 0.0)

    def rescored(self, score: float) -> Candidate:
        return replace(self, suspect=replace(self.suspect, score=round(score, 4)))


def clip(value: float) -> float:
    """`value` between 0 and 1."""
    return min(1.0, max(0.0, value))


def evidence_order(evidence_id: str) -> tuple[str, int, str]:
    """Sorts ids as people count: e2 before e10."""
    digits = "".join(c for c in evidence_id if c.isdigit())
    return (evidence_id[:1], int(digits or 0), evidence_id)
