"""Exemplar traces of small requests, drawn call by call: `shop → pricing → hub → depot`, each with its own time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from bot.evidence import SpanView, TraceView
from tests.diagnosis.cases import FIRST_BAD_S

CHAIN = ("shop", "pricing", "hub")
GAP_MS = 1.0


class Pen:
    """Draws traces whose ids count over all of them."""

    def __init__(self) -> None:
        self._spans = count(1)
        self._traces = count(1)

    def trace(
        self, bad: bool, own_ms: dict[str, float], *, asks: int = 1, failing: int = 0, steps: dict[str, float] | None = None
    ) -> TraceView:
        """`asks`: calls of the hub to the depot, of which the first `failing` fail; `steps`: named parts of pricing, with their time."""
        spans: list[SpanView] = []
        self._serve(CHAIN, 0.0, None, own_ms, (asks, failing), steps or {}, spans)
        number = next(self._traces)
        return TraceView(f"t{number}", bad, FIRST_BAD_S + number if bad else FIRST_BAD_S - 60 * number, tuple(spans))

    def _serve(
        self,
        chain: Sequence[str],
        at_ms: float,
        parent: str | None,
        own_ms: dict[str, float],
        calls: tuple[int, int],
        steps: dict[str, float],
        spans: list[SpanView],
    ) -> float:
        me, place = f"s{next(self._spans)}", len(spans)
        spans.append(SpanView(me, chain[0], "POST /orders", "server", parent, at_ms, 0.0, False, 200, "", "", ""))
        now_ms = at_ms + own_ms.get(chain[0], 10.0)
        for name, ms in steps.items() if chain[0] == "pricing" else ():
            spans.append(SpanView(f"s{next(self._spans)}", "pricing", name, "internal", me, now_ms, ms, False, None, "", "", ""))
            now_ms += ms
        for i in range(calls[0] if len(chain) == 1 else 1):
            peer, call, begun_ms, slot = (*chain, "depot")[1], f"s{next(self._spans)}", now_ms, len(spans)
            failed = len(chain) == 1 and i < calls[1]
            spans.append(SpanView(call, chain[0], "POST", "client", me, begun_ms, 0.0, failed, 500 if failed else 200, "", peer, ""))
            if len(chain) > 1:
                now_ms = self._serve(chain[1:], now_ms + GAP_MS, call, own_ms, calls, steps, spans) + GAP_MS
            else:
                now_ms += own_ms.get("depot", 20.0)
            spans[slot] = replace(spans[slot], duration_ms=now_ms - begun_ms)
        spans[place] = replace(spans[place], duration_ms=now_ms - at_ms)
        return now_ms


def compared(good_ms: dict[str, float], bad_ms: dict[str, float], *, bad: int = 3, good: int = 2) -> tuple[TraceView, ...]:
    """As many traces as Scout hands over, which differ in nobody's noise."""
    pen = Pen()
    return (*(pen.trace(True, bad_ms) for _ in range(bad)), *(pen.trace(False, good_ms) for _ in range(good)))
