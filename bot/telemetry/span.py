"""A span as Scout keeps it: small, typed, free of OTLP, with HTTP's old and stable attribute names already made one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["server", "client", "internal", "producer", "consumer"]


@dataclass(frozen=True, slots=True)
class SpanException:
    """The `exception` event of a span. Raw: redact before showing."""

    type: str
    message: str
    stacktrace: str


@dataclass(frozen=True, slots=True)
class Span:
    """One finished span. Times are Unix seconds, ids the raw bytes of OTLP (16 and 8; `parent_id` is empty for a root)."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    service: str
    name: str
    operation: str  # of a server span: "METHOD route" when both are known, else the name; of any other span: its name
    kind: Kind
    start_s: float
    end_s: float
    status_code: int | None
    error: bool
    error_type: str
    peer_service: str  # peer_* and server_* only for client and producer spans
    server_address: str
    server_port: int | None
    exception: SpanException | None
    commit: str  # the deployed commit, "" when the resource does not say
    extra: tuple[tuple[str, str], ...] = ()  # further attributes by which bad spans may differ (bot/telemetry/extra.py)

    @property
    def duration_ms(self) -> float:
        return (self.end_s - self.start_s) * 1000.0

    @property
    def peer_name(self) -> str:
        """What the caller calls its peer: peer.service, else host:port, else "" (not known)."""
        if self.peer_service:
            return self.peer_service
        return f"{self.server_address}:{self.server_port}" if self.server_port else self.server_address
