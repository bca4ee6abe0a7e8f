"""What the HTTP application is given: the process's parts behind it, as values and small protocols."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bot.ports import Clock
from bot.settings import Settings
from bot.web.feed import Feed

Json = dict[str, Any]

MONITOR_DIR = Path(__file__).resolve().parents[2] / "monitor"


class SpanSink(Protocol):
    """Where spans go: the one that decodes and keeps them."""

    def accept(self, body: bytes, content_type: str) -> tuple[int, int, str]:
        """Takes an ExportTraceServiceRequest (`application/x-protobuf` or `application/json`, inflated).

        Returns (accepted spans, rejected spans, why they were rejected). Raises Refused when the whole body is malformed, Retry
        when it cannot be taken just now.
        """
        ...


@dataclass(frozen=True)
class WebParts:
    """`wake(reason)` says «look again» and returns at once; `snapshot()` is the monitor's state, cheap and finite; `lifespan()`
    is entered when the server starts and left when it stops; `started_s` is Unix seconds."""

    settings: Settings
    feed: Feed
    spans: SpanSink
    wake: Callable[[str], None]
    snapshot: Callable[[], Json]
    clock: Clock
    lifespan: Callable[[], AbstractAsyncContextManager[None]]
    started_s: float
    monitor_dir: Path = MONITOR_DIR
    heartbeat_s: float = 15.0
    write_timeout_s: float = 10.0  # a reader of the feed that takes longer than this to take one write is dropped
    max_followers: int = 100
