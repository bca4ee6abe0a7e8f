"""Whom the evidence and a reasoner blame together: the evidence's order, between near ties the reasoner's, and where they disagree."""

from __future__ import annotations

from bot.diagnosis.candidate import Candidate
from bot.diagnosis.localise import Localisation
from bot.diagnosis.plain import plain
from bot.model import Opinion, Suspect

NEAR_TIE = 0.8  # runner-up's share of the first score from which on a reasoner's ranking decides


def rank(survivors: tuple[Candidate, ...], opinion: Opinion, localisation: Localisation) -> tuple[tuple[Candidate, ...], str]:
    """The survivors, best first. And why the reasoner disagrees with the first one, "" if it does not."""
    if not survivors:
        return (), ""
    places = {(s.kind, s.name, s.at): place for place, s in reversed(list(enumerate(opinion.suspects)))}
    best = survivors[0].suspect.score

    def order(candidate: Candidate) -> tuple[bool, float, float]:
        suspect, tied = candidate.suspect, candidate.suspect.score >= NEAR_TIE * best
        place = places.get((suspect.kind, suspect.name, suspect.at), len(places))
        return (not tied, place if tied else 0, -suspect.score)

    ranked = tuple(sorted(survivors, key=order))
    first, foremost, shown = ranked[0].suspect, opinion.suspects[0], localisation.candidates[0].suspect
    if (first.kind, first.name, first.at) != (foremost.kind, foremost.name, foremost.at):
        return ranked, f"{plain(opinion.reasoner)} suspects {named(foremost)} first"
    if (first.kind, first.name, first.at) != (shown.kind, shown.name, shown.at):
        return ranked, f"the evidence points at {named(shown)} first"
    return ranked, ""


def named(suspect: Suspect) -> str:
    """A suspect as people say it."""
    return f"commit {plain(suspect.name)[:7]}" if suspect.kind == "change" else plain(suspect.name)
