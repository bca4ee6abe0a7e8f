"""How well the beginning of some trouble fits a deploy that brought a change: by time, and by what the service answers from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import zip_longest

from bot.diagnosis.case import CLOCK_SLACK_S, Case, Change
from bot.diagnosis.plain import clock, short
from bot.evidence import DeployMark
from bot.model import Signal, SignalKind

SOON_S = 120.0  # what begins this soon after a deploy or a switch fits well: from 1 down to SOON at its end
SOON = 0.9
FADE_S = 900.0  # after that the join fades by a factor e in this time
EARLIER_DEPLOY = 0.4  # the service was deployed again before it went bad, after long enough to go bad: the earlier deploy counts this much


@dataclass(frozen=True)
class Join:
    """A deploy that brought the change to the service before it went bad."""

    value: float
    mark: DeployMark | None
    gap_s: float = 0.0


def join(change: Change, service: str, begin_s: float, commit: str, case: Case) -> Join:
    """How well the beginning of the trouble in `service` fits the deploy that brought `change`. `commit`: of the bad spans, "" unknown."""
    marks = [m for m in case.evidence.deploys if m.service == service and m.previous_commit]
    before = sorted((m for m in marks if m.first_seen_s <= begin_s + CLOCK_SLACK_S), key=lambda m: (m.first_seen_s, m.id))
    if commit and commit in {m.commit for m in before}:  # clocks are worse witnesses than the span's own commit
        last = max(i for i, m in enumerate(before) if m.commit == commit)
        before = before[: last + 1]
    best = Join(0.0, None)
    for mark, following in zip_longest(before, before[1:]):
        gap_s = max(0.0, begin_s - mark.first_seen_s)
        if mark.id not in change.deploys:
            continue
        value = nearness(gap_s)
        if following is not None:
            served_s = max(0.0, min(following.first_seen_s, begin_s) - mark.first_seen_s)
            value *= EARLIER_DEPLOY + (1.0 - EARLIER_DEPLOY) * none_bad(served_s, case.incident.signal)
        if value > best.value:
            best = Join(value, mark, gap_s)
    return best


def none_bad(served_s: float, signal: Signal) -> float:
    """The chance that in so long a time no request goes bad by chance, as often as they come and as many of them as go bad now (Poisson):
    releases that follow each other within seconds leave the first one no time to show what it does."""
    bad = {SignalKind.ERRORS: signal.now.errors, SignalKind.LATENCY: signal.now.slow}.get(signal.kind)
    if bad is None or not signal.now.requests:
        return 0.0
    per_s = signal.before.rate or signal.now.rate
    return math.exp(-served_s * per_s * bad / signal.now.requests)


def nearness(gap_s: float) -> float:
    """How well a time that began `gap_s` after something fits it as the cause, 0..1."""
    return (1.0 - (1.0 - SOON) * min(gap_s, SOON_S) / SOON_S) * math.exp(-max(0.0, gap_s - SOON_S) / FADE_S)


def join_text(deploy: Join, service: str) -> str:
    if deploy.mark is None:
        return f"no deploy is known that brought it to {service} before it went bad"
    began = f"{service} first answered from {short(deploy.mark.commit)} at {clock(deploy.mark.first_seen_s)}"
    return f"{began}, and went bad {later(deploy.gap_s)}"


def arrival(change: Change, deploy: Join, mark: DeployMark, service: str, what: str) -> str:
    """When the service first answered from the deploy that brought the change, and how soon after that it went bad."""
    brought = "" if mark.commit == change.commit.sha else f", which brought {short(change.commit.sha)},"
    return (
        f"{service} answered from commit {short(mark.commit)}{brought} for the first time at {clock(mark.first_seen_s)};"
        f" the first {what} came {later(deploy.gap_s)}."
    )


def later(gap_s: float) -> str:
    """How soon, in words. The first answer from a commit may itself be the first bad one."""
    return f"{gap_s:.1f} s later" if gap_s >= 0.05 else "at once"
