"""A small shop, traced and logged: what its requests leave behind, healthy or with a fault. Used by the stories about traces and logs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.rootcause.model import LogLine, Span, Window

MS = 1_000_000
START_NS = 1_700_000_000 * 1_000_000_000
SERVER, CLIENT = 2, 3
SERVICES = ("front", "cart", "stock", "prices")


@dataclass(frozen=True, slots=True)
class Visit:
    """What one service does for one request: lines it writes, calls it makes in order, and how that goes."""

    service: str
    lines: tuple[str, ...]
    calls: tuple[Visit, ...] = ()
    own_ms: int = 5
    gap_ms: int = 2
    failed: bool = False
    exception: str = ""
    answers: bool = True
    instance: str = ""

    def at(self, service: str, change: Callable[[Visit], Visit]) -> Visit:
        """The same request with one service changed, wherever it is called."""
        inner = replace(self, calls=tuple(call.at(service, change) for call in self.calls))
        return change(inner) if self.service == service else inner


CHECKOUT = Visit(
    "front",
    ("INFO Front#10 order received", "INFO Front#20 order done"),
    (
        Visit(
            "cart",
            ("INFO Cart#11 reading cart 4711", "INFO Cart#15 priced", "INFO Cart#19 cart ready"),
            (Visit("prices", ("INFO Prices#7 looking up", "INFO Prices#9 found")),),
        ),
        Visit("stock", ("INFO Stock#31 reserving", "INFO Stock#35 reserved")),
    ),
)


def window(requests: Sequence[Visit], *, spans: bool = True, span_ids: bool = True, trace_ids: bool = True, begin_s: int = 0) -> Window:
    """One request a second, with a little jitter that is the same each time."""
    found: list[Span] = []
    lines: list[LogLine] = []
    for number, request in enumerate(requests):
        at_ns = START_NS + (begin_s + number) * 1000 * MS
        _play(request, f"{begin_s:04x}{number:028x}", "", "", at_ns, number, found, lines)
    kept = tuple(replace(line, span_id=line.span_id if span_ids else "", trace_id=line.trace_id if trace_ids else "") for line in lines)
    return Window(tuple(found) if spans else (), kept)


def _play(visit: Visit, trace: str, parent: str, caller: str, at_ns: int, number: int, spans: list[Span], lines: list[LogLine]) -> int:
    """Writes the spans and lines of a visit; when its caller goes on."""
    if not visit.answers:
        call_id = f"{len(spans):016x}"
        spans.append(Span(trace, call_id, parent, caller, "", "POST", CLIENT, at_ns, at_ns + 10 * MS, visit.failed, visit.service))
        return at_ns + 10 * MS
    call_id, own_id = f"{len(spans):016x}", f"{len(spans) + (1 if caller else 0):016x}"
    place = len(spans)
    jitter_ns = (number * 7 % 5) * MS // 5
    here_ns = at_ns + visit.gap_ms * MS // 2
    step_ns = (visit.own_ms * MS + jitter_ns) // (len(visit.calls) + 1)
    spans += [_blank(trace)] * (2 if caller else 1)
    said = list(visit.lines)
    here_ns += step_ns
    for call in visit.calls:
        if said:
            lines.append(LogLine(here_ns - step_ns, visit.service, visit.instance, 0, said.pop(0), trace, own_id))
        here_ns = _play(call, trace, own_id, visit.service, here_ns, number, spans, lines) + step_ns
    for text in said:
        lines.append(LogLine(here_ns - step_ns, visit.service, visit.instance, 0, text, trace, own_id))
    end_ns = here_ns + visit.gap_ms * MS // 2
    name = f"/{visit.service}"
    own = Span(
        trace, own_id, call_id if caller else "", visit.service, visit.instance, name, SERVER, at_ns + visit.gap_ms * MS // 2, here_ns,
        visit.failed, exception=visit.exception,
    )  # fmt: skip
    if caller:
        spans[place] = Span(trace, call_id, parent, caller, "", "POST", CLIENT, at_ns, end_ns, visit.failed, visit.service)
        spans[place + 1] = own
    else:
        spans[place] = own
    return end_ns


def _blank(trace: str) -> Span:
    return Span(trace, "", "", "", "", "", 0, 0, 0, False)


def healthy(count: int = 30, *, begin_s: int = 0) -> Window:
    return window([CHECKOUT] * count, begin_s=begin_s)


def on_pod(number: int) -> Visit:
    """The stock room has several instances."""
    return CHECKOUT.at("stock", lambda visit: replace(visit, instance=f"pod-{number}"))
