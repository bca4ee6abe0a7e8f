"""What a remembered fix has earned: its uses in order of time, and the trust that follows from them.

Trust is the mean of a Beta posterior from a uniform prior (Laplace's rule of succession): (healed + 1) / (healed + failed + 2). A success
counts half for every failure that came after it, so that trust is lost faster than it was won.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bot.model import OutcomeKind, PostMortem, Use, UseResult

FORGOTTEN_PER_FAILURE = 0.5  # what a success is still worth after a later failure
AGAINST = (UseResult.FAILED, UseResult.REFUSED, UseResult.REVERTED, UseResult.CORRECTED)
_RESULTS = {
    OutcomeKind.HEALED: UseResult.HEALED,
    OutcomeKind.FAILED: UseResult.FAILED,
    OutcomeKind.PARTIAL: UseResult.UNKNOWN,
    OutcomeKind.INCONCLUSIVE: UseResult.UNKNOWN,
    OutcomeKind.ERROR: UseResult.UNKNOWN,
}


@dataclass(frozen=True)
class Told:
    """A use and the incident that tells of it; `approved` is an entry of policies/known.yaml, which counts as uses that healed."""

    issue: int
    use: Use
    approved: int = 0


@dataclass(frozen=True)
class TrackRecord:
    """Uses of one kind of remedy against one kind of cause, oldest first, those that say something alone."""

    uses: tuple[Told, ...]

    @property
    def healed(self) -> tuple[int, ...]:
        """The incidents that it healed, each once."""
        return tuple(sorted({one.issue for one in self.uses if one.use.result is UseResult.HEALED and one.issue}))

    @property
    def healed_times(self) -> int:
        return sum(one.approved or 1 for one in self.uses if one.use.result is UseResult.HEALED)

    @property
    def failed_times(self) -> int:
        return sum(one.use.result in AGAINST for one in self.uses)

    @property
    def healed_last(self) -> bool:
        return bool(self.uses) and self.uses[-1].use.result is UseResult.HEALED

    @property
    def proven_in_a_row(self) -> int:
        """How many incidents it healed since the last time that it did not."""
        count = 0
        for one in reversed(self.uses):
            if one.use.result is not UseResult.HEALED:
                break
            count += 1
        return count

    @property
    def trust(self) -> float:
        """0..1; 0.5 when nothing is known, 0.67 after one success."""
        healed = 0.0
        for one in self.uses:
            healed = healed + (one.approved or 1) if one.use.result is UseResult.HEALED else healed * FORGOTTEN_PER_FAILURE
        return (healed + 1) / (healed + self.failed_times + 2)


def uses_of(post_mortem: PostMortem) -> tuple[Use, ...]:
    """The uses that a post-mortem tells of; of one that was written before uses were listed, the one that ended it."""
    if post_mortem.uses or post_mortem.remedy is None or not post_mortem.signature:
        return post_mortem.uses
    at_s = post_mortem.healed_s or post_mortem.opened_s
    return (Use(0, post_mortem.signature, post_mortem.remedy.kind, _RESULTS[post_mortem.outcome], at_s),)


def result_of(outcome: OutcomeKind) -> UseResult:
    return _RESULTS[outcome]


def track_record(told: Iterable[Told]) -> TrackRecord:
    """In order of time; the same attempt told twice counts once, and what says nothing is left out."""
    once = {(one.issue, one.use.attempt, one.use.at_s if not one.issue else 0.0): one for one in told}
    telling = [one for one in once.values() if one.use.result is UseResult.HEALED or one.use.result in AGAINST]
    return TrackRecord(tuple(sorted(telling, key=lambda one: (one.use.at_s, one.issue, one.use.attempt))))
