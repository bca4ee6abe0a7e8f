"""What Scout says beside requests: once when it begins, once when it is over, and nothing in between."""

from __future__ import annotations

from bot.agents.scout_notices import OVER_S, Notices
from bot.policy.schema import Detection
from bot.telemetry.conditions import Conditions
from bot.telemetry.gauges import Gauges
from bot.telemetry.logs import LogBook
from tests.telemetry.test_gauges import T, reading
from tests.telemetry.test_logs import line
from tests.telemetry.world import Heard, new_scout


def test_what_was_always_near_its_limit_is_told_once_and_again_when_it_is_over() -> None:
    gauges, heard = Gauges(), Heard()
    conditions = Conditions(gauges, LogBook(), Detection(), lambda signal: signal)
    notices = Notices(conditions, heard)
    for second in range(0, 600, 5):
        gauges.observe([reading("process.cpu.utilization", second, 0.96 if second < 300 else 0.4, instance="quotes-1")], T + second)
        conditions.tick(T + second)
        notices.look(T + second)
    assert conditions.conditions() == (), "nobody is called for it"
    assert len(heard.texts) == 2
    assert heard.texts[0].startswith("process.cpu.utilization of quotes (quotes-1) is at 96%, above 90% for ")
    assert heard.texts[1] == "process.cpu.utilization (quotes-1) above 90% of quotes: no longer"
    assert heard.events[1].at_s > T + 300 + OVER_S / 2


def test_who_joins_with_errors_and_never_stops_is_a_signal_until_it_does() -> None:
    """After twenty minutes nothing else is known of it; that it is used to them does not make it well."""
    scout, heard = new_scout()
    signals = []
    for second in range(0, 3_000, 2):
        lines = [line(T + second, service="front", severity="info")]
        if 600 <= second < 2_700:
            lines += [line(T + second, "order lost", service="joined")] * 2
        scout.observe_logs(lines, T + second)
        if scout.signals(T + second):
            signals.append(second)
    assert signals[0] < 640 and 2_700 < signals[-1] < 2_850
    assert signals == list(range(signals[0], signals[-1] + 2, 2)), "without a gap"
    (over,) = [event for event in heard.events if "no longer" in event.text]
    assert over.at_s > T + 2_700


def test_a_burst_of_errors_is_told_once_and_again_when_it_is_over() -> None:
    book, heard = LogBook(), Heard()
    conditions = Conditions(Gauges(), book, Detection(), lambda signal: signal)
    notices = Notices(conditions, heard)
    for second in range(900):
        errors = 6 if 600 <= second < 620 else 1 if second % 60 == 0 else 0
        book.observe([line(T + second, "carrier does not answer")] * errors, T + second)
        conditions.tick(T + second)
        notices.look(T + second)
    assert conditions.conditions() == (), "it was over before it was a signal"
    assert len(heard.texts) == 2
    assert heard.texts[0].startswith("quotes logs unusually many errors: ")
    assert heard.texts[1] == "unusually many error logs of quotes: no longer"
