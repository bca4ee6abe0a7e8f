"""CAG's table: signatures that were met before, looked up exactly, else by structured similarity with a margin, else a miss.

Needs no network, no key and no third party. A table of 300 signatures answers in well under a millisecond.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.diagnosis.trust import Told, TrackRecord, track_record, uses_of
from bot.model import PostMortem, Use, UseResult
from bot.policy.schema import KnownFix
from bot.signature import Signature, parse

SIMILAR_FROM = 0.8  # all that is at fault agrees, and most of what it looked like
MARGIN = 0.1  # so much nearer than anything else, or it is a guess
WEIGHTS: Mapping[str, float] = {  # whose doing it was weighs as much as all that it looked like
    "roles": 4.0,
    "service": 3.0,
    "operation": 2.0,
    "errors": 2.0,
    "slower": 1.0,
    "failing": 1.0,
    "place": 1.0,
    "deployed": 1.0,
}
_WHOLE = sum(WEIGHTS.values())


@dataclass(frozen=True)
class Hit:
    """`similarity` 1.0 is an exact hit. `record` is of the signatures that are the same but for what the fault looked like."""

    signature: str
    similarity: float
    record: TrackRecord


def similarity(a: Signature, b: Signature) -> float:
    """0..1: weighted share of the parts that agree; sets by the share that they have in common (Jaccard). 0 for another mechanism."""
    if a.mechanism != b.mechanism:
        return 0.0
    same = WEIGHTS["roles"] * _in_common(a.roles, b.roles) + WEIGHTS["errors"] * _in_common(a.errors, b.errors)
    same += WEIGHTS["service"] * (a.service == b.service) + WEIGHTS["operation"] * (a.operation == b.operation)
    same += WEIGHTS["slower"] * (a.slower == b.slower) + WEIGHTS["failing"] * (a.failing == b.failing)
    same += WEIGHTS["place"] * (a.place == b.place) + WEIGHTS["deployed"] * (a.deployed == b.deployed)
    return same / _WHOLE


def _in_common(a: Sequence[str], b: Sequence[str]) -> float:
    if a == b:
        return 1.0
    first, second = set(a), set(b)
    return len(first & second) / len(first | second)


class Table:
    """All uses that past incidents and policies/known.yaml tell of, by remedy and signature. Build it once, ask it often."""

    def __init__(self, told: Iterable[Told]) -> None:
        self._told: dict[tuple[str, str], list[Told]] = defaultdict(list)
        for one in told:
            self._told[one.use.remedy, one.use.signature].append(one)
        self._alike: dict[tuple[str, str], list[str]] = defaultdict(list)  # remedy and core → signatures
        self._near: dict[tuple[str, str, str], list[tuple[Signature, str]]] = defaultdict(list)  # remedy, mechanism, who → candidates
        for remedy, text in sorted(self._told):
            known = parse(text)
            self._alike[remedy, _core(text, known)].append(text)
            if known is not None:
                self._near[remedy, known.mechanism, _who(known)].append((known, text))

    @staticmethod
    def of(past: Iterable[PostMortem], approved: Iterable[KnownFix] = ()) -> Table:
        told = [Told(one.issue, use) for one in past for use in uses_of(one)]
        told += [Told(0, Use(0, fix.signature, fix.remedy, UseResult.HEALED, 0.0), fix.healed) for fix in approved]
        return Table(told)

    def find(self, wanted: str, remedy: str) -> Hit | None:
        """The remembered signature that this one is, or is most like; None when none is near enough, or two are about as near."""
        if (remedy, wanted) in self._told:
            return self._hit(wanted, 1.0, remedy)
        asked = parse(wanted)
        if asked is None:
            return None
        best: dict[str, tuple[float, str]] = {}  # of signatures with one core the nearest stands for all
        for known, text in self._near.get((remedy, asked.mechanism, _who(asked)), ()):
            core = _core(text, known)
            best[core] = max(best.get(core, (0.0, "")), (similarity(asked, known), text))
        ranked = sorted(best.values(), reverse=True)
        if not ranked or ranked[0][0] < SIMILAR_FROM or (len(ranked) > 1 and ranked[0][0] - ranked[1][0] < MARGIN):
            return None
        return self._hit(ranked[0][1], ranked[0][0], remedy)

    def records(self) -> tuple[tuple[str, str, TrackRecord], ...]:
        """(remedy, signature, track record) of everything remembered, in order; signatures with one core share a record."""
        return tuple((remedy, text, self._hit(text, 1.0, remedy).record) for remedy, text in sorted(self._told))

    def _hit(self, text: str, near: float, remedy: str) -> Hit:
        alike = self._alike[remedy, _core(text, parse(text))]
        return Hit(text, near, track_record(one for other in alike for one in self._told[remedy, other]))


def _who(signature: Signature) -> str:
    """Who is blamed: without the same one, nothing is alike."""
    return signature.roles[0] if signature.roles else ""


def _core(text: str, known: Signature | None) -> str:
    """What is at fault, without what it looked like; a text that is no signature of this version stands for itself."""
    if known is None:
        return text
    return "/".join((known.mechanism, known.service, known.operation, *known.roles))
