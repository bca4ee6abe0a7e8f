"""What a decoder made of one OTLP request: what can be used, and how many were dropped for which reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from bot.errors import Refused
from bot.telemetry import limits

Item = TypeVar("Item")
PROTOBUF = "application/x-protobuf"
JSON = "application/json"


@dataclass(frozen=True)
class Decoded(Generic[Item]):
    """The usable items of one request, and what was dropped (OTLP's partial success)."""

    items: tuple[Item, ...]
    dropped: tuple[tuple[str, int], ...] = ()  # (reason, how many), most frequent first
    accepted: int = 0  # how many of what was sent could be used; a counter's first point is, and makes no item yet

    @property
    def rejected(self) -> int:
        return sum(count for _, count in self.dropped)

    @property
    def reason(self) -> str:
        """One sentence part for people, "" when nothing was dropped."""
        return "; ".join(f"{count} × {reason}" for reason, count in self.dropped)


@dataclass
class Tally(Generic[Item]):
    """Collects the items of one request while it is decoded."""

    items: list[Item] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)

    def drop(self, reason: str, count: int = 1) -> None:
        self.dropped[reason] += count

    def done(self, accepted: int) -> Decoded[Item]:
        return Decoded(tuple(self.items), tuple(sorted(self.dropped.items(), key=lambda item: (-item[1], item[0]))), accepted)


def is_json(content_type: str) -> bool:
    """Whether a Content-Type is OTLP's JSON rather than its protobuf, parameters ignored. Raises Refused when it is neither."""
    match content_type.partition(";")[0].strip().lower():
        case "application/x-protobuf":
            return False
        case "application/json":
            return True
        case _:
            raise Refused(f"this Content-Type is not supported: send {PROTOBUF} or {JSON}")


def hours_off(at_s: float, now_s: float) -> bool:
    """Whether a sender's clock is too far from ours to use its times."""
    return not now_s - limits.CLOCK_BEHIND_S <= at_s <= now_s + limits.CLOCK_AHEAD_S
