"""Whose incident a signal is, as the open issues and the calls between services say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.belonging import belonging
from bot.blind import NoTelemetry
from bot.detection.group import SPREAD_S
from bot.evidence import Affected, Evidence, ServiceCall
from bot.journal import IncidentRecord
from bot.model import Measurement, Signal, SignalKind
from bot.policy.schema import Policies
from tests.policy.texts import load
from tests.telemetry.world import T0, objective

NOW_S = T0 + 5_000.0
POLICIES: Policies = load()
NOTHING = Measurement(T0, NOW_S, 0, 0, 0, None, None)


def signal(service: str, first_bad_s: float, kind: SignalKind = SignalKind.ERRORS) -> Signal:
    return Signal(kind, objective(service, "POST /x"), NOTHING, NOTHING, first_bad_s, first_bad_s + 5.0)


@dataclass(frozen=True)
class Seen(NoTelemetry):
    """Telemetry with these signals; `web` calls `gate`."""

    found: tuple[Signal, ...]

    def signals(self, now_s: float) -> Sequence[Signal]:
        return self.found

    def service_calls(self, since_s: float, now_s: float) -> Sequence[ServiceCall]:
        return (ServiceCall("web", "POST /x", "gate", "POST /x"),)


def incident(found: Signal, *affected: Affected) -> IncidentRecord:
    return IncidentRecord("f" * 12, found, Evidence(found.detected_s, affected=affected))


def test_of_two_that_belong_together_one_stands_for_both_and_each_knows_the_other() -> None:
    web, gate = signal("web", NOW_S - 20), signal("gate", NOW_S - 20, SignalKind.LATENCY)
    seen = Seen((gate, web))
    first, second = (belonging(one, seen, POLICIES, (), NOW_S) for one in (web, gate))
    assert (first.part_of, [a.service for a in first.affected], first.upstream) == ("", ["gate"], ("gate",))
    assert (second.part_of, [a.kind for a in second.affected]) == ("POST /x in web", ["errors"])


def test_every_kind_of_signal_has_its_place() -> None:
    for kind in SignalKind:
        web, gate = signal("web", NOW_S - 20, kind), signal("gate", NOW_S - 20)
        primary, other = (gate, web) if kind.of_service else (web, gate)
        assert belonging(other, Seen((web, gate)), POLICIES, (), NOW_S).part_of == f"POST /x in {primary.service}"
        assert belonging(primary, Seen((web, gate)), POLICIES, (), NOW_S).part_of == ""


def test_what_breaks_long_after_an_incident_began_is_its_own_unless_the_incident_has_named_it() -> None:
    web, gate = signal("web", NOW_S - 3 * SPREAD_S), signal("gate", NOW_S - 20)
    seen = Seen((web, gate))
    named = Affected("gate", "POST /x", "latency", web.first_bad_s)
    assert belonging(gate, seen, POLICIES, [(4, incident(web))], NOW_S).part_of == ""
    assert belonging(gate, seen, POLICIES, [(4, incident(web, named))], NOW_S).part_of == "#4"


def test_an_incident_holds_what_belongs_to_it_while_its_own_operation_has_recovered() -> None:
    web, gate = signal("web", NOW_S - 60), signal("gate", NOW_S - 50)
    assert belonging(gate, Seen((gate,)), POLICIES, [(4, incident(web))], NOW_S).part_of == "#4"


def test_a_learnt_signal_is_part_of_a_written_one() -> None:
    web = signal("web", NOW_S - 20)
    learnt = replace(web, objective=replace(web.objective, learnt=True))
    gate = signal("gate", NOW_S - 20)
    assert belonging(learnt, Seen((learnt, gate)), POLICIES, (), NOW_S).part_of == "POST /x in gate"
    assert belonging(gate, Seen((learnt, gate)), POLICIES, (), NOW_S).part_of == ""
