"""Whom the evidence and a reasoner blame together: the evidence's order, between near ties the reasoner's, and where they disagree."""

from __future__ import annotations

from dataclasses import dataclass

from bot.diagnosis.candidate import Candidate
from bot.diagnosis.localise import Localisation
from bot.diagnosis.plain import plain
from bot.model import Opinion, Suspect

NEAR_TIE = 0.8  # runner-up's share of the first score from which on a reasoner's ranking decides


@dataclass(frozen=True)
class Dissent:
    """Where a reasoner and the evidence disagree on the culprit. `share`: how much the evidence itself has for the other one, 0..1.

    Dissent for which there is no evidence weighs nothing: whoever can write into telemetry could order it.
    """

    why: str
    share: float


def rank(survivors: tuple[Candidate, ...], opinion: Opinion, localisation: Localisation) -> tuple[tuple[Candidate, ...], Dissent | None]:
    """The survivors, best first, and the dissent about the first one, if any."""
    if not survivors:
        return (), None
    places = {identity(suspect): place for place, suspect in reversed(list(enumerate(opinion.suspects)))}
    best = survivors[0].suspect.score

    def order(candidate: Candidate) -> tuple[bool, float, float]:
        tied = candidate.suspect.score >= NEAR_TIE * best
        return (not tied, places.get(identity(candidate.suspect), len(places)) if tied else 0, -candidate.suspect.score)

    ranked = tuple(sorted(survivors, key=order))
    first, shown = ranked[0].suspect, localisation.candidates[0].suspect
    if identity(first) != identity(shown):
        return ranked, Dissent(f"the evidence points at {named(shown)} first", 1.0)
    if opinion.suspects and identity(opinion.suspects[0]) != identity(first):
        foremost = opinion.suspects[0]
        score = next((c.suspect.score for c in survivors if identity(c.suspect) == identity(foremost)), 0.0)
        return ranked, Dissent(f"{plain(opinion.reasoner)} suspects {named(foremost)} first", score / best)
    return ranked, None


def identity(suspect: Suspect) -> tuple[str, str, str]:
    """What makes two suspects the same, whatever their scores."""
    return suspect.kind, suspect.name, suspect.at


def named(suspect: Suspect) -> str:
    """A suspect as people say it."""
    return f"commit {plain(suspect.name)[:7]}" if suspect.kind == "change" else plain(suspect.name)
