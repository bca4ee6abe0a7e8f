"""Calls that nobody answered, where calls of their kind usually are."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.rootcause.comparing.chance import more_often
from bot.rootcause.comparing.forest import Forest, Key, key_of
from bot.rootcause.comparing.grammar import MIN_TRACES
from bot.rootcause.comparing.log_texts import Texts
from bot.rootcause.comparing.oddities import MAX_EVIDENCE, Oddity
from bot.rootcause.model import Span

FULL_EVIDENCE = 2.5  # −log10 p that counts as strength 1
MIN_ANSWERED = 0.5  # share of answered calls in the baseline: below it nobody traces the other side
MIN_DROP = 0.3  # a callee that answers a visit by this share less often may be the one that is missing


@dataclass(slots=True)
class _Calls:
    answered: Counter[str] = field(default_factory=Counter)  # by callee
    silent: list[Span] = field(default_factory=list)
    visits: set[Key] = field(default_factory=set)  # that made such calls

    @property
    def total(self) -> int:
        return self.answered.total() + len(self.silent)


def unanswered(usual: Forest, now: Forest, texts: Texts) -> list[Oddity]:
    """Blamed on the callee that the span names, else on the one that answers less often now, else on the caller."""
    before, found = _calls(usual), []
    for place, calls in sorted(_calls(now).items()):
        old = before.get(place)
        traces = {span.trace_id for span in calls.silent}
        if old is None or old.answered.total() < MIN_ANSWERED * old.total or len(traces) < MIN_TRACES:
            continue
        evidence = more_often(len(old.silent), old.total, len(calls.silent), calls.total)
        first = min(calls.silent, key=lambda span: span.start_ns)
        service = texts.service(first.peer) or _missing(old, calls) or first.service
        found.append(
            Oddity(
                service=service,
                operation=first.operation if service == first.service else "",
                fault="stalled",
                strength=evidence / FULL_EVIDENCE,
                what=f"calls of {first.service} ({place[1][:80]}) without an answer: {len(old.silent)} of {old.total} before, "
                f"{len(calls.silent)} of {calls.total} now",
                visits=tuple(dict.fromkeys(now.entry_of[key_of(span)] for span in calls.silent)),
                instances=Counter(span.instance for span in calls.silent) if service == first.service else Counter(),
                since_ns=first.start_ns,
                evidence=tuple(sorted(traces))[:MAX_EVIDENCE],
            )
        )
    return found


def _calls(forest: Forest) -> Mapping[tuple[str, str], _Calls]:
    found: defaultdict[tuple[str, str], _Calls] = defaultdict(_Calls)
    for key, span in forest.spans.items():
        if forest.is_call(span):
            calls = found[span.service, span.operation]
            answers = forest.remote(span)
            if answers:
                calls.answered[answers[0].service] += 1
            else:
                calls.silent.append(span)
            calls.visits.add(forest.entry_of[key])
    return found


def _missing(old: _Calls, new: _Calls) -> str:
    """The callee whose answers to a visit became rarest, if they did."""
    drops = {
        callee: 1 - new.answered[callee] / max(len(new.visits), 1) / (count / len(old.visits)) for callee, count in old.answered.items()
    }
    callee = max(sorted(drops), key=lambda name: drops[name], default="")
    return callee if callee and drops[callee] >= MIN_DROP else ""
