"""What the HTTP application is given: the process's parts behind it, as values and small protocols."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from bot.ports import Clock
from bot.settings import Settings
from bot.telemetry.counters import Counters
from bot.web.deployments import Deployment
from bot.web.feed import Feed

Json = dict[str, Any]
Reading = float | Mapping[str, float]  # of one of this process's metrics; with a label: by the label's value

MONITOR_DIR = Path(__file__).resolve().parents[2] / "monitor"


Taken = tuple[int, int, str]  # accepted, rejected, why they were rejected


class Sink(Protocol):
    """Where the bodies of one OTLP signal go: the one that decodes and keeps them.

    Bodies are export requests of its signal (`application/x-protobuf` or `application/json`, inflated). What comes back is counted in
    what the signal's partial success counts: spans, data points, log records. Raises Refused when the whole body is malformed, Retry when
    it cannot be taken just now.
    """

    @property
    def at_once_bytes(self) -> int:
        """How large a body may be for `accept`; 0 while another one is being taken in turns."""
        ...

    def accept(self, body: bytes, content_type: str) -> Taken:
        """Runs on the event loop without a pause."""
        ...

    async def accept_in_turns(self, body: bytes, content_type: str) -> Taken:
        """For bodies of any size: one after the other, and everything else on the event loop in between."""
        ...


@runtime_checkable
class GzipSink(Sink, Protocol):
    """A Sink that can inflate and read in one go."""

    def accept_gzip(self, body: bytes, inflated_bytes: int) -> Taken | None:
        """As `accept`, of a protobuf body in gzip that says of itself that it holds `inflated_bytes`, at most `at_once_bytes`. None when
        it has to be inflated first, whatever it holds: nothing was taken then."""
        ...


@dataclass(frozen=True)
class WebParts:
    """`sinks` by path, those of bot/web/ingest.py's SIGNALS that are taken; `wake(reason)` says «look again» and returns at once;
    `snapshot()` is the monitor's state, cheap and finite; `lifespan()` is entered when the server starts and left when it stops;
    `started_s` is Unix seconds; `counters` is where ingest counts what it refuses; `readings()` gives further figures for `/metrics`, by
    the names of bot/web/own_metrics.py; `deployed(deployment)` is told what GitHub says has come into service."""

    settings: Settings
    feed: Feed
    sinks: Mapping[str, Sink]
    wake: Callable[[str], None]
    snapshot: Callable[[], Json]
    clock: Clock
    lifespan: Callable[[], AbstractAsyncContextManager[None]]
    started_s: float
    counters: Counters = field(default_factory=Counters)
    readings: Callable[[], Mapping[str, Reading]] = dict
    deployed: Callable[[Deployment], None] = lambda deployment: None
    monitor_dir: Path = MONITOR_DIR
    heartbeat_s: float = 15.0
    write_timeout_s: float = 10.0  # a reader of the feed that takes longer than this to take one write is dropped
    max_followers: int = 100
