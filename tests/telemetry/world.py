"""A small simulated system on a simulated clock: customers, four tiers, exporters that send in batches. Its spans go to a real Scout."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.agents.scout import Scout
from bot.model import Event, Objective, Signal
from bot.policy.load import load_directory
from bot.policy.schema import Policies, ServiceSpec
from bot.telemetry.span import Kind, Span, SpanException

T0 = 1_700_000_000.0
FRONT, ENGINE, GATE = "front", "engine", "gate"
CARRIERS = ("north", "south", "west")
BUY, BROWSE, PRICE, OFFERS, ASK = "POST /buy", "GET /", "POST /price", "POST /offers", "POST /ask"

STACK = """Traceback (most recent call last):
  File "/srv/app/.venv/lib/python3.11/site-packages/web/routing.py", line 74, in app
    response = await handler(request)
  File "/srv/app/shop/engine/prices.py", line 31, in price
    return base(risk) * factor(risk)
  File "/srv/app/shop/engine/prices.py", line 12, in factor
    return FACTORS[risk["kind"]]
KeyError: 'boat'
"""


def objective(service: str = FRONT, operation: str = BUY) -> Objective:
    return Objective(service, operation, p99_ms=1500.0, error_ratio=0.02, window_s=10.0, min_requests=15, min_bad=5)


def policies(*objectives: Objective, services: Sequence[ServiceSpec] = ()) -> Policies:
    """The repository's policies with other objectives and services."""
    return replace(
        load_directory(Path(__file__).parents[2] / "policies"),
        objectives=objectives or (objective(),),
        services=tuple(services) or (ServiceSpec(ENGINE, ("shop/engine/**", "shop/common/**")),),
    )


@dataclass
class SimulatedClock:
    now_s: float = T0

    def now(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass
class Heard:
    """An EventSink that keeps what was said."""

    events: list[Event] = field(default_factory=list)

    def say(self, event: Event) -> None:
        self.events.append(event)

    @property
    def texts(self) -> list[str]:
        return [event.text for event in self.events]


def new_scout(given: Policies | None = None) -> tuple[Scout, Heard]:
    heard = Heard()
    return Scout(given or policies(), SimulatedClock(), heard), heard


def span(**changes: object) -> Span:
    """A healthy server span of the operation with an objective; everything can be changed."""
    fields: dict[str, object] = {
        "trace_id": (1).to_bytes(16, "big"),
        "span_id": (1).to_bytes(8, "big"),
        "parent_id": b"",
        "service": FRONT,
        "name": BUY,
        "operation": changes.get("name", BUY),
        "kind": "server",
        "start_s": T0,
        "end_s": T0 + 0.2,
        "status_code": 200,
        "error": False,
        "error_type": "",
        "peer_service": "",
        "server_address": "",
        "server_port": None,
        "exception": None,
        "commit": "",
    }
    return Span(**{**fields, **changes})  # type: ignore[arg-type]


def root_spans(
    starts: Sequence[float], durations_s: float = 0.2, *, error: bool = False, first_id: int = 1, **changes: object
) -> list[Span]:
    """One single-span trace per start."""
    return [
        span(
            trace_id=(first_id + i).to_bytes(16, "big"),
            span_id=(first_id + i).to_bytes(8, "big"),
            start_s=start,
            end_s=start + durations_s,
            error=error,
            status_code=500 if error else 200,
            **changes,
        )
        for i, start in enumerate(starts)
    ]


@dataclass
class Faults:
    """What is wrong now. A carrier that hangs answers after `hang_s`; the customer leaves after `patience_s`."""

    hanging: str = ""
    hang_s: float = 20.0
    patience_s: float = 6.0
    fail_share: float = 0.0  # of requests that the engine fails
    commits: dict[str, str] = field(default_factory=dict)
    stall_s: float = 0.0  # that the gate spends by itself, before it asks the carriers or after
    stalls_first: bool = True


@dataclass
class System:
    """Makes the spans of one request after another; `arrivals` holds (moment of arrival, span)."""

    rng: random.Random
    export_s: float = 0.5
    lost: Callable[[Span], bool] = lambda _: False
    names: Callable[[str], str] = lambda name: name
    faults: Faults = field(default_factory=Faults)
    arrivals: list[tuple[float, int, Span]] = field(default_factory=list)
    ids: int = 0
    exports: dict[str, float] = field(default_factory=dict)

    def emit(
        self,
        trace: int,
        parent: bytes,
        service: str,
        name: str,
        kind: Kind,
        start_s: float,
        end_s: float,
        *,
        span_id: bytes = b"",
        peer: str = "",
        error_type: str = "",
        status: int | None = 200,
        exception: SpanException | None = None,
    ) -> bytes:
        self.ids += 1
        made = Span(
            trace_id=trace.to_bytes(16, "big"),
            span_id=span_id or self.ids.to_bytes(8, "big"),
            parent_id=parent,
            service=self.names(service),
            name=self.names(name),
            operation=self.names(name),
            kind=kind,
            start_s=start_s,
            end_s=end_s,
            status_code=status,
            error=status is not None and status >= 500,
            error_type=error_type,
            peer_service=self.names(f"{peer}-api") if peer else "",
            server_address="127.0.0.1" if peer else "",
            server_port=9000 if peer else None,
            exception=exception,
            commit=self.faults.commits.get(service, "c0ffee"),
        )
        if not self.lost(made):
            batch = self.export_s
            heapq.heappush(self.arrivals, ((end_s // batch + 1) * batch + 0.05, self.ids, made))
        return made.span_id

    def new_id(self) -> bytes:
        self.ids += 1
        return self.ids.to_bytes(8, "big")

    def browse(self, at_s: float) -> None:
        self.ids += 1
        self.emit(self.ids, b"", FRONT, BROWSE, "server", at_s, at_s + self.rng.uniform(0.002, 0.01))

    def buy(self, at_s: float) -> None:
        """One request through all tiers: front → engine → gate → three carriers in parallel."""
        rng, faults = self.rng, self.faults
        self.ids += 1
        trace = self.ids
        front, price_call, engine, offers_call, gate = (self.new_id() for _ in range(5))
        gone_s = at_s + faults.patience_s
        asked_s = at_s + 0.012 + (faults.stall_s if faults.stalls_first else 0.0)
        ends = [self._ask(trace, gate, carrier, asked_s, gone_s) for carrier in CARRIERS] if asked_s < gone_s else [gone_s]
        ends.append(min(gone_s, max(ends) + (0.0 if faults.stalls_first else faults.stall_s)))
        cut = max(ends) >= gone_s
        end_s = max(ends)
        fails = not cut and rng.random() < faults.fail_share
        status = 499 if cut else 500 if fails else 200
        type_ = "cancelled" if cut else ""
        failed = "KeyError" if fails else type_
        raised = SpanException("KeyError", "'boat'", STACK) if fails else None
        self.emit(
            trace, offers_call, GATE, OFFERS, "server", at_s + 0.010, end_s, span_id=gate, status=499 if cut else 200, error_type=type_
        )
        self.emit(
            trace,
            engine,
            ENGINE,
            OFFERS,
            "client",
            at_s + 0.009,
            end_s + 0.001,
            span_id=offers_call,
            peer=GATE,
            error_type=type_,
            status=None,
        )
        self.emit(trace, engine, ENGINE, "rate the risk", "internal", at_s + 0.004, at_s + 0.006, status=None)
        self.emit(
            trace,
            price_call,
            ENGINE,
            PRICE,
            "server",
            at_s + 0.003,
            end_s + 0.002,
            span_id=engine,
            status=status,
            error_type=failed,
            exception=raised,
        )
        self.emit(
            trace,
            front,
            FRONT,
            BUY,  # a call may have the name of the operation that makes it
            "client",
            at_s + 0.002,
            end_s + 0.003,
            span_id=price_call,
            peer=ENGINE,
            error_type="500" if fails else type_,
            status=500 if fails else None,
        )
        self.emit(trace, b"", FRONT, BUY, "server", at_s, end_s + 0.004, span_id=front, status=status, error_type="500" if fails else type_)

    def _ask(self, trace: int, gate: bytes, carrier: str, at_s: float, gone_s: float) -> float:
        faults = self.faults
        took_s = faults.hang_s if carrier == faults.hanging else self.rng.lognormvariate(-1.9, 0.35)
        end_s = min(at_s + took_s, gone_s)
        call = self.new_id()
        cut = end_s == gone_s
        self.emit(
            trace,
            gate,
            GATE,
            ASK,
            "client",
            at_s,
            end_s,
            span_id=call,
            peer=carrier,
            error_type="cancelled" if cut else "",
            status=None if cut else 200,
        )
        if not cut:
            self.emit(trace, call, carrier, ASK, "server", at_s + 0.001, end_s - 0.001)
        return end_s

    def traffic(self, start_s: float, end_s: float, buys_per_s: float = 6.0, browses_per_s: float = 4.0) -> None:
        at_s = start_s
        while True:
            at_s += self.rng.expovariate(buys_per_s + browses_per_s)
            if at_s >= end_s:
                return
            if self.rng.random() < buys_per_s / (buys_per_s + browses_per_s):
                self.buy(at_s)
            else:
                self.browse(at_s)


def play(system: System, scout: Scout, start_s: float, end_s: float, tick_s: float = 0.5) -> list[tuple[float, Signal]]:
    """Hands the spans over as they arrive and looks every `tick_s`; all (moment, signal) that were seen."""
    seen: list[tuple[float, Signal]] = []
    for i in range(1, int((end_s - start_s) / tick_s) + 1):
        now_s = start_s + i * tick_s
        batch = []
        while system.arrivals and system.arrivals[0][0] <= now_s:
            batch.append(heapq.heappop(system.arrivals)[2])
        scout.observe(batch, now_s)
        seen.extend((now_s, signal) for signal in scout.signals(now_s))
    return seen
