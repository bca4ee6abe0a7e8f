"""Windows that are too large to be compared in whole: an even sample of whole traces says the same."""

from __future__ import annotations

import zlib
from collections import Counter

from bot.rootcause.model import Window

MAX_RECORDS = 30_000  # spans and lines of a window: about a second of comparing
MAX_HEALTHY_RECORDS = 15_000  # of the baseline when it is its own control, which takes several comparisons


def thinned(window: Window, most: int = MAX_RECORDS) -> Window:
    """At most about `most` records of traces: every second, fourth, … trace by a checksum of its id. Lines without a trace all stay."""
    counts = Counter(span.trace_id for span in window.spans)
    counts.update(line.trace_id for line in window.logs if line.trace_id)
    if counts.total() <= most:
        return window
    keys = {trace: zlib.crc32(trace.encode("utf-8", "surrogatepass")) for trace in counts}
    every = 1
    kept = set(counts)
    while len(kept) > 1 and sum(counts[trace] for trace in kept) > most:
        every *= 2
        kept = {trace for trace in kept if keys[trace] % every == 0} or {min(kept)}
    return Window(
        tuple(span for span in window.spans if span.trace_id in kept),
        tuple(line for line in window.logs if not line.trace_id or line.trace_id in kept),
        window.series,
        window.graph,
    )
