"""Traffic that stays away: one service's silence is a signal, everybody's is not; and it is over when requests come again."""

from __future__ import annotations

import random
from collections.abc import Callable

from bot.agents.scout import Scout
from bot.evidence import Evidence
from bot.model import Health, Signal, SignalKind
from bot.texts import Links
from bot.texts.issue import issue_body, issue_title
from tests.telemetry.world import BUY, FRONT, T0, Heard, new_scout, policies, span

HISTORY_S = 5_400


def live(
    scout: Scout, seconds: range, rates: Callable[[str], float], rng: random.Random, look_every_s: int = 1
) -> list[tuple[float, Signal]]:
    """Two services get requests, and Scout looks. The signals, with when they were there."""
    seen = []
    for second in seconds:
        now_s = T0 + second + 1
        for service in (FRONT, "other") * 3:
            if rng.random() < rates(service):
                ids = {"trace_id": rng.randbytes(16), "span_id": rng.randbytes(8)}
                scout.observe([span(**ids, service=service, start_s=now_s - 0.5, end_s=now_s - 0.3)], now_s)
        if second % look_every_s == 0:
            seen += [(now_s, signal) for signal in scout.signals(now_s)]
    return seen


def watched() -> tuple[Scout, Heard, random.Random]:
    scout, heard = new_scout()
    rng = random.Random(8)
    assert live(scout, range(HISTORY_S), lambda _: 0.8, rng, look_every_s=10) == []
    return scout, heard, rng


def test_one_services_silence_is_a_signal_until_requests_come_again() -> None:
    scout, heard, rng = watched()
    seen = live(scout, range(HISTORY_S, HISTORY_S + 180), lambda service: 0.0 if service == FRONT else 0.8, rng)
    at_s, signal = seen[0]
    assert (signal.kind, signal.service, signal.operation) == (SignalKind.THROUGHPUT, FRONT, BUY)
    assert at_s < T0 + HISTORY_S + 150
    assert abs(signal.first_bad_s - (T0 + HISTORY_S)) < 10
    assert {one.service for _, one in seen} == {FRONT}
    assert scout.health(FRONT, BUY, T0 + HISTORY_S + 180)[0] is Health.UNHEALTHY
    assert issue_title(signal) == f"{BUY} in {FRONT} gets no requests"
    body = issue_body(signal, Evidence(at_s), policies(), Links("https://github.com", "acme/market"))
    assert "gets **no requests** since" in body and "usually about 14" in body and "failing" not in body and "mermaid" not in body
    live(scout, range(HISTORY_S + 180, HISTORY_S + 420), lambda _: 0.8, rng)
    now_s = T0 + HISTORY_S + 420
    assert scout.signals(now_s) == []
    assert scout.health(FRONT, BUY, now_s)[0] is not Health.UNHEALTHY
    assert [text for text in heard.texts if text.startswith("no requests to")] and "is asked again" in heard.texts[-1]


def test_when_everything_is_silent_nobody_is_blamed_and_that_is_said_once() -> None:
    scout, heard, rng = watched()
    assert live(scout, range(HISTORY_S, HISTORY_S + 200), lambda _: 0.0, rng) == []
    assert scout.health(FRONT, BUY, T0 + HISTORY_S + 200)[0] is Health.UNKNOWN
    assert live(scout, range(HISTORY_S + 200, HISTORY_S + 320), lambda _: 0.8, rng) == []
    assert [text.split(":")[0] for text in heard.texts] == ["no telemetry arrives from any service", "telemetry arrives again"]


def test_in_the_first_minutes_nothing_learnt_is_said() -> None:
    scout, heard = new_scout()
    rng = random.Random(9)
    assert live(scout, range(120), lambda _: 0.9, rng) == []
    assert live(scout, range(120, 180), lambda service: 0.0 if service == "other" else 0.9, rng) == []
    assert heard.texts == []
