"""Large windows become even samples of whole traces."""

from __future__ import annotations

from collections import Counter

from bot.rootcause.comparing.thinning import thinned
from bot.rootcause.model import LogLine, Window
from tests.rootcause.shop import healthy


def test_small_windows_stay_as_they_are() -> None:
    small = healthy(10)
    assert thinned(small) is small


def test_large_ones_keep_whole_traces_and_lines_without_a_trace() -> None:
    large = healthy(300)
    loose = LogLine(1, "front", "", 0, "no trace")
    kept = thinned(Window(large.spans, (*large.logs, loose)), 1_000)
    assert 200 < len(kept.spans) + len(kept.logs) <= 1_001
    whole = Counter(span.trace_id for span in large.spans)
    assert Counter(span.trace_id for span in kept.spans) == {trace: whole[trace] for trace in {span.trace_id for span in kept.spans}}
    assert loose in kept.logs


def test_one_endless_trace_ends_the_thinning() -> None:
    lines = tuple(LogLine(n, "front", "", 0, "again", "t") for n in range(500))
    assert len(thinned(Window((), lines), 100).logs) == 500
