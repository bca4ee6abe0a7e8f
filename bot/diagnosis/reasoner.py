"""The evidence reasoner: an opinion with no model and no key, straight from the localisation."""

from __future__ import annotations

from bot.diagnosis.budget import Meter
from bot.diagnosis.case import Case
from bot.diagnosis.localise import localise
from bot.diagnosis.log_lines import log_claims
from bot.diagnosis.patterns import patterns
from bot.diagnosis.tools import blame_frames
from bot.model import Claim, Opinion

SPELLED_OUT = 0.5  # candidates with at least this share of the best score have their claims spelled out; the others are only ranked


class EvidenceReasoner:
    """Names what the evidence shows, in plain sentences with figures. Deterministic, offline, free."""

    @property
    def name(self) -> str:
        return "evidence"

    def opine(self, case: Case, meter: Meter | None = None) -> Opinion:
        """The ranking of `localise` with the claims of its best candidates, and what blame says of the failing lines. Never raises."""
        candidates = localise(case).candidates
        serious = [c for c in candidates if c.suspect.score >= SPELLED_OUT * candidates[0].suspect.score]
        return Opinion(
            cause=candidates[0].cause if candidates else "",
            suspects=tuple(candidate.suspect for candidate in candidates),
            claims=(
                *dict.fromkeys(claim for candidate in serious for claim in (*candidate.claims, *log_claims(candidate.suspect.at, case))),
                *(pattern.claim() for pattern in patterns(case.evidence.traces)),
                *_blamed(case),
            ),
            reasoner=self.name,
            lookups=blame_frames(case),
        )


def _blamed(case: Case) -> tuple[Claim, ...]:
    """What blame found out about a line that raises, as claims; they begin with a path, which is written as it is."""
    telling = [finding for finding in case.found if finding.telling and finding.lookup.tool == "blame"]
    return tuple(Claim(f"{finding.text}.", (finding.id,)) for finding in telling)
