"""What to ask memory: a case in words, and past incidents ordered by structured signature first, wording second."""

from __future__ import annotations

from collections.abc import Iterable

from bot.diagnosis.case import Case
from bot.diagnosis.localise import localise, signature_of
from bot.model import PostMortem


def question(case: Case) -> str:
    """The case as text, in the words that a post-mortem would use: signature, operation, what got worse, the suspects' causes."""
    signal = case.incident.signal
    candidates = localise(case).candidates[:2]
    lines = [signature_of(case, candidate) for candidate in candidates]
    lines.append(f"{signal.operation} of {signal.service}: {signal.kind.value}.")
    lines += [candidate.cause for candidate in candidates]
    return " ".join(lines)


def ordered(case: Case, found: Iterable[tuple[PostMortem, float]]) -> tuple[tuple[PostMortem, float], ...]:
    """Same signature first, then by similarity, then the newest."""
    candidates = localise(case).candidates
    wanted = signature_of(case, candidates[0]) if candidates else ""
    return tuple(sorted(found, key=lambda one: (one[0].signature != wanted or not wanted, -one[1], -one[0].issue)))
