"""Errors at their origin: the deepest span that failed, when the failure went up to whoever asked."""

from __future__ import annotations

from collections.abc import Iterator, Set

from bot.rootcause.alone.calls import below, leaves_service
from bot.rootcause.comparing.forest import Forest, Key, key_of
from bot.rootcause.model import Finding, Span

STRENGTH = 2.6  # an error that reached the user
HANDLED_STRENGTH = 0.6  # somebody above went on without: part of health, as far as one can see
PEER_SHARE = 0.8  # of the strength for a callee that no service reports itself
MAX_SAID_CHARS = 160


def cascades(forest: Forest, root: Span, stormed: Set[Key], given_up: Set[Key]) -> Iterator[Finding]:
    """One finding for each origin. `stormed`: what lies inside retries that are blamed on their caller; `given_up`: calls that timed
    out."""
    known = {span.service for span in forest.spans.values()}
    for span in below(forest, root):
        if not span.failed or key_of(span) in given_up or any(kid.failed for kid in forest.kids(span)):
            continue
        reached = _reached(forest, span)
        strength = STRENGTH if reached is None else HANDLED_STRENGTH
        if key_of(span) in stormed:
            strength = min(strength, 1.5)
        yield from _findings(forest, span, strength, known, reached)


def _findings(forest: Forest, span: Span, strength: float, known: Set[str], handled_by: Span | None) -> Iterator[Finding]:
    said = f" ({span.exception[:MAX_SAID_CHARS]})" if span.exception else ""
    handled = f"; {handled_by.operation} went on without" if handled_by is not None else ""
    what = f"{span.operation} failed{said}, and nothing below it did{handled}"
    silent = bool(span.peer) and leaves_service(forest, span) and not forest.remote(span)
    blamed = [(span.service, strength)]
    if silent and span.peer != span.service:
        # A service that others report and that did not answer here is the first suspect; a database never reports itself.
        blamed = [(span.peer, strength), (span.service, strength * PEER_SHARE)]
        if span.peer not in known:
            blamed = [(span.service, strength), (span.peer, strength * PEER_SHARE)]
    for service, own in blamed:
        instance = span.instance if service == span.service else ""
        yield Finding(service, "errors", "traces", own, what, instance, span.operation, span.start_ns, (span.trace_id,))


def _reached(forest: Forest, span: Span) -> Span | None:
    """The nearest span above that did not fail; None when all failed up to the root."""
    above = forest.parent(span)
    while above is not None and above.failed:
        above = forest.parent(above)
    return above
