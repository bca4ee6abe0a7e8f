"""Whatever metrics a stranger sends, the view answers with finite strengths."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.rootcause.metrics.view import metrics_view
from bot.rootcause.model import Instrument, Series, Symptom, Window

NAMES = st.sampled_from(["", "a", "b", "c", "\N{ZERO WIDTH SPACE}<script>"])
METRICS = st.sampled_from(["requests", "latency", "availability", "cpu", "edge", "PodP99(s)", "", "%(x)s{0}"])
STATISTICS = st.sampled_from(["", "Average", "p99", "Sum", "count", "failed_share", "0.5"])
INSTRUMENTS: tuple[Instrument, ...] = ("gauge", "delta", "cumulative")
SECOND_NS = 10**9


@st.composite
def windows(draw: st.DrawFn) -> Window:
    series = []
    for _ in range(draw(st.integers(0, 6))):
        values = draw(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=24))
        start = draw(st.integers(0, 3))
        times = tuple((start + at) * 60 * SECOND_NS for at in range(len(values)))
        instrument: Instrument = draw(st.sampled_from(INSTRUMENTS))
        whose = [draw(NAMES) for _ in range(4)]
        series.append(
            Series(whose[0], whose[1], draw(METRICS), draw(STATISTICS), "", instrument, (), whose[2], whose[3], times, tuple(values))
        )
    return Window(series=tuple(series), graph=draw(st.frozensets(st.tuples(NAMES, NAMES), max_size=8)))


@settings(max_examples=40)
@given(windows(), windows(), NAMES, st.sampled_from(["", "latency", "availability", "?"]))
def test_strengths_are_finite_whatever_comes(incident: Window, baseline: Window, service: str, signal: str) -> None:
    view = metrics_view(incident, baseline, Symptom(service, signal))
    assert all(0.0 <= one.strength < math.inf and one.service for one in view.findings)
    assert all(math.isfinite(number) for number in view.features.values())
    assert view.comparable or view.why
