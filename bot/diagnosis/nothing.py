"""What to say when nobody is to blame: what was compared, what changed before it began, what the traces show all the same, and whether
there is simply more to do."""

from __future__ import annotations

from collections.abc import Mapping

from bot.diagnosis.case import CLOCK_SLACK_S, Case, is_new, onset_s
from bot.diagnosis.localise import Localisation
from bot.diagnosis.patterns import patterns
from bot.diagnosis.plain import plain
from bot.model import SignalKind

MORE_TRAFFIC = 1.5  # times as many requests as before: worth saying
_HAPPENED: Mapping[SignalKind, str] = {
    SignalKind.LATENCY: "{} got worse",
    SignalKind.ERRORS: "{} got worse",
    SignalKind.THROUGHPUT: "{} gets fewer requests than before",
    SignalKind.SATURATION: "{} is nearly used up",
    SignalKind.LOG_ERRORS: "There are more {} than before",
}


def no_culprit(case: Case, localisation: Localisation) -> str:
    """One or two sentences: it got worse, and nothing that the evidence shows can have caused it."""
    operation = plain(f"{case.incident.signal.operation} of {case.incident.signal.service}")
    kind = case.incident.signal.kind
    looked = [*_calls(case, localisation), *_exceptions(case, localisation)]
    compared = f"{_joined(looked)}, and {_changed(case)}" if looked else _changed(case)
    shown = patterns(case.evidence.traces)
    if shown:
        told = "; ".join(pattern.text for pattern in shown)
        return f"{_HAPPENED[kind].format(operation)}, and no change explains it: {compared}. What the traces show: {told}.{_traffic(case)}"
    return f"{_HAPPENED[kind].format(operation)}, but I see no cause: {compared}.{_traffic(case)}"


def _calls(case: Case, localisation: Localisation) -> list[str]:
    count = len({(edge.caller, edge.peer) for edge in case.evidence.edges})
    return [f"none of the {count} calls between services explains it"] if "calls" in localisation.looked_at else []


def _exceptions(case: Case, localisation: Localisation) -> list[str]:
    if "exceptions" not in localisation.looked_at:
        return []
    fresh = sum(is_new(group) for group in case.evidence.errors)
    return ["there are no new kinds of exceptions" if not fresh else "no change touches the code of the exceptions"]


def _changed(case: Case) -> str:
    until_s = onset_s(case.incident, case.evidence) + CLOCK_SLACK_S
    deploys = {mark.commit for mark in case.evidence.deploys if mark.previous_commit and mark.first_seen_s <= until_s}
    settings = [change for change in case.evidence.changes if change.first_seen_s <= until_s]
    parts = [_counted(len(case.changes), "commit"), _counted(len(deploys), "deploy"), _counted(len(settings), "changed setting")]
    known = [part for part in parts if part]
    return (
        f"the {_joined(known)} before it {'do' if len(known) > 1 or not known[0].startswith('1 ') else 'does'} not fit"
        if known
        else ("nothing that I know of was deployed or switched shortly before")
    )


def _traffic(case: Case) -> str:
    before, now = case.incident.signal.before.rate, case.incident.signal.now.rate
    if case.incident.signal.kind.of_service or not before or now < MORE_TRAFFIC * before:
        return ""
    return f" It gets {now / before:.1f} times as many requests as before, which may be all there is to it."


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count > 1 else ''}" if count else ""


def _joined(parts: list[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)
