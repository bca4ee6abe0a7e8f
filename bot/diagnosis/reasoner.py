"""The evidence reasoner: an opinion with no model and no key, straight from the localisation."""

from __future__ import annotations

from bot.diagnosis.case import Case
from bot.diagnosis.localise import localise
from bot.model import Opinion

SPELLED_OUT = 0.5  # candidates with at least this share of the best score have their claims spelled out; the others are only ranked


class EvidenceReasoner:
    """Names what the evidence shows, in plain sentences with figures. Deterministic, offline, free."""

    @property
    def name(self) -> str:
        return "evidence"

    def opine(self, case: Case) -> Opinion:
        """The ranking of `localise` with the claims of its best candidates. Never raises."""
        candidates = localise(case).candidates
        serious = [c for c in candidates if c.suspect.score >= SPELLED_OUT * candidates[0].suspect.score]
        return Opinion(
            cause=candidates[0].cause if candidates else "",
            suspects=tuple(candidate.suspect for candidate in candidates),
            claims=tuple(dict.fromkeys(claim for candidate in serious for claim in candidate.claims)),
            reasoner=self.name,
        )
