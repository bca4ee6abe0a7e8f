"""Log lines that name no trace: nothing tells what follows what, so only what is said in how many slots of time can be compared.

Weaker evidence than successions: what is said depends on traffic. New sorts of error count for most.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from bot.rootcause.comparing.chance import more_often
from bot.rootcause.comparing.log_texts import Texts, is_error
from bot.rootcause.comparing.oddities import Oddity
from bot.rootcause.model import LogLine

SLOT_NS = 5_000_000_000  # lines of the same five seconds count once: one event may write many
MIN_SLOTS = 2  # in which something must be said, as for traces
NEW_ERROR_EVIDENCE = 1.5  # −log10 p that counts as strength 1
MORE_ERRORS_EVIDENCE = 4.0
OTHER_EVIDENCE = 6.0  # lines that are no errors come and go with what users do
SHOWN = 180  # characters of a template in a sentence


def slot_of(line: LogLine) -> str:
    """Stands in for a trace."""
    return f"slot {line.at_ns // SLOT_NS}"


@dataclass(slots=True)
class _Said:
    slots: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))  # by service
    steps: defaultdict[tuple[str, str, bool], set[int]] = field(default_factory=lambda: defaultdict(set))  # service, text, error?


def loose_changes(usual: Iterable[LogLine], now: Iterable[LogLine], texts: Texts) -> tuple[list[Oddity], int]:
    """Oddities of lines without a trace, and how many texts both windows share."""
    old, new = _said(usual, texts), _said(now, texts)
    known = {text for _, text, error in old.steps if error}
    found = []
    for key in sorted(old.steps.keys() | new.steps.keys()):
        service, text, error = key
        all_before, all_now = old.slots.get(service), new.slots.get(service)
        if not all_before or not all_now:
            continue
        before, after = old.steps.get(key, set()), new.steps.get(key, set())
        full = OTHER_EVIDENCE if not error else MORE_ERRORS_EVIDENCE if text in known else NEW_ERROR_EVIDENCE
        counts = (len(before), len(all_before), len(after), len(all_now))
        if len(after) >= MIN_SLOTS:
            found.append(_oddity(key, more_often(*counts) / full, counts, after))
        if not error:  # an error that is gone is no fault
            silent = more_often(counts[1] - counts[0], counts[1], counts[3] - counts[2], counts[3])
            found.append(_oddity(key, silent / full, counts, all_now - after))
    return found, len(old.steps.keys() & new.steps.keys())


def _said(lines: Iterable[LogLine], texts: Texts) -> _Said:
    said = _Said()
    for line in lines:
        if line.trace_id or not line.at_ns:
            continue
        slot = line.at_ns // SLOT_NS
        error = is_error(line)
        said.slots[line.service].add(slot)
        said.steps[line.service, texts.sort(line) if error else texts.step(line), error].add(slot)
    return said


def _oddity(key: tuple[str, str, bool], strength: float, counts: tuple[int, int, int, int], slots: set[int]) -> Oddity:
    service, text, error = key
    what = f"written in {counts[0]} of {counts[1]} slots of 5 s before, in {counts[2]} of {counts[3]} now: {text[:SHOWN]}"
    since_ns = min(slots, default=0) * SLOT_NS
    return Oddity(service, "", "errors" if error else "unknown", strength, what, (), Counter(), since_ns, (text[:SHOWN],))
