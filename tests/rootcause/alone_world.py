"""Single traces, written call by call: requests of a shop with services that call one another, healthy or with a fault in their
structure."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bot.rootcause.model import Window
from bot.rootcause.reading.window import load_window
from tests.rootcause.recorded_world import Message, attributes, save, span, spans_line

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5


@dataclass
class Trace:
    """Writes spans with a clock in milliseconds. `kinds`: whether spans carry OTLP's kind; `skew_ms`: how far a service's clock is
    ahead."""

    draw: random.Random
    kinds: bool = True
    skew_ms: Mapping[str, float] = field(default_factory=dict)
    now_ms: float = 0.0
    trace_id: str = ""
    _written: dict[str, list[Message]] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.trace_id = f"{self.draw.getrandbits(128):032x}"

    @contextmanager
    def span(self, service: str, name: str, kind: int = INTERNAL, failed: str = "", **said: object) -> Iterator[None]:
        """What is done inside takes the time; `failed`: an exception's message."""
        own, parent = f"{self.draw.getrandbits(64):016x}", self._open[-1] if self._open else ""
        began = self.now_ms
        self._open.append(own)
        yield
        self._open.pop()
        self._write(service, own, parent, name, (began, self.now_ms), kind, failed, said)

    def work(self, milliseconds: float) -> None:
        self.now_ms += milliseconds * self.draw.uniform(0.8, 1.2)

    def leaf(self, service: str, name: str, milliseconds: float, kind: int = INTERNAL, failed: str = "", **said: object) -> None:
        with self.span(service, name, kind, failed, **said):
            self.work(milliseconds)

    def beside(self, *branches: Callable[[], None]) -> None:
        """The branches at the same time."""
        began, ended = self.now_ms, self.now_ms
        for branch in branches:
            self.now_ms = began + self.draw.uniform(0.0, 0.5)
            branch()
            ended = max(ended, self.now_ms)
        self.now_ms = ended

    def until(self, at_ms: float) -> None:
        self.now_ms = at_ms

    def _write(
        self, service: str, own: str, parent: str, name: str, times: tuple[float, float], kind: int, failed: str, said: Mapping[str, object]
    ) -> None:
        ahead = self.skew_ms.get(service, 0.0)
        more: Message = {"kind": kind} if self.kinds else {}
        if said:
            more["attributes"] = attributes(**said)
        if failed:
            kind_, _, message = failed.partition(": ")
            more["status"] = {"code": 2}
            more["events"] = [{"name": "exception", "attributes": attributes(exception__type=kind_, exception__message=message)}]
        self._written.setdefault(service, []).append(span(self.trace_id, own, parent, name, times[0] + ahead, times[1] + ahead, **more))

    def lines(self) -> list[str]:
        return [spans_line(service, spans) for service, spans in self._written.items()]


def window(folder: Path, *traces: Trace) -> Window:
    """Through the files, as a person would send them."""
    return load_window(save(folder / "traces.jsonl", [line for trace in traces for line in trace.lines()])).window


def call(trace: Trace, caller: str, callee: str, name: str, milliseconds: float, failed: str = "", **said: object) -> None:
    """A client span with the callee's server span in it; both fail when the callee does."""
    with trace.span(caller, name, CLIENT, failed, **said):
        trace.work(0.4)
        trace.leaf(callee, name, milliseconds, SERVER, failed)
        trace.work(0.4)


def query(trace: Trace, service: str, milliseconds: float, text: str, failed: str = "") -> None:
    trace.leaf(service, text.split(" ")[0], milliseconds, CLIENT, failed, db__system__name="postgresql", db__query__text=text)
