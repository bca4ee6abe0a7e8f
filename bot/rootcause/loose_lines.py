"""Log lines that name no trace: nothing tells what follows what, so only what is said in how many slots of time can be compared.

Weaker evidence than successions: what is said depends on traffic. New sorts of error count for most.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bot.rootcause.chance import more_often
from bot.rootcause.log_texts import Texts, is_error
from bot.rootcause.model import LogLine
from bot.rootcause.oddities import Oddity

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
    for key, slots in sorted(new.steps.items()):
        service, text, error = key
        if service not in old.slots or len(slots) < MIN_SLOTS:
            continue
        before = old.steps.get(key, set())
        evidence = more_often(len(before), len(old.slots[service]), len(slots), len(new.slots[service]))
        full = OTHER_EVIDENCE if not error else MORE_ERRORS_EVIDENCE if text in known else NEW_ERROR_EVIDENCE
        found.append(_oddity(key, evidence / full, (len(before), len(old.slots[service])), (slots, len(new.slots[service]))))
    for key, before in sorted(old.steps.items()):
        service, _, error = key
        if not error and service in new.slots:
            missing = len(new.slots[service]) - len(new.steps.get(key, ()))
            evidence = more_often(len(old.slots[service]) - len(before), len(old.slots[service]), missing, len(new.slots[service]))
            silent = new.slots[service] - new.steps.get(key, set())
            found.append(
                _oddity(key, evidence / OTHER_EVIDENCE, (len(before), len(old.slots[service])), (silent, len(new.slots[service])), True)
            )
    return [one for one in found if one.strength > 0], len(old.steps.keys() & new.steps.keys())


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


def _oddity(key: tuple[str, str, bool], strength: float, usual: tuple[int, int], now: tuple[set[int], int], gone: bool = False) -> Oddity:
    service, text, error = key
    count = now[1] - len(now[0]) if gone else len(now[0])
    what = f"written in {usual[0]} of {usual[1]} slots of 5 s before, in {count} of {now[1]} now: {text[:SHOWN]}"
    since_ns = min(now[0], default=0) * SLOT_NS
    instances: Mapping[str, int] = Counter()
    return Oddity(service, "", "errors" if error else "unknown", strength, what, (), instances, since_ns, (text[:SHOWN],))
