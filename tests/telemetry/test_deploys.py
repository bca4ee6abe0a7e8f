"""Which deploy a signal names: one that requests have shown, or that a webhook has told of; and never one that came after."""

from __future__ import annotations

import random
from dataclasses import replace

from bot.agents.scout import Scout
from bot.model import Signal
from bot.policy.schema import ServiceSpec
from bot.telemetry.commits import Commits
from tests.telemetry.world import FRONT, T0, new_scout, policies, root_spans

SHA, OTHER = "f95f852bd8fca8fcc58a9a2d6c842781e32a215e", "0" * 40


def failing(scout: Scout, since_s: float, commits: tuple[str, str] = ("", "")) -> Signal:
    """Half a minute of good requests, then bad ones, from the two commits."""
    scout.observe(root_spans([T0 + 0.2 * i for i in range(150)], commit=commits[0]), T0 + 30.5)
    scout.signals(T0 + 31)
    starts = [T0 + since_s + 0.2 * i for i in range(40)]
    scout.observe(root_spans(starts, error=True, first_id=1_000, commit=commits[1]), T0 + since_s + 9)
    (signal,) = scout.signals(T0 + since_s + 9)
    return signal


def test_a_deploy_that_only_a_webhook_has_told_of_is_named_and_stands_in_the_evidence() -> None:
    scout, _ = new_scout()
    scout.deployed(FRONT, OTHER, T0 - 5_000)
    scout.deployed(FRONT, SHA, T0 + 30)
    scout.deployed("another", OTHER, T0 + 31)
    signal = failing(scout, 35)
    assert signal.deploy == SHA
    (mark,) = scout.evidence(signal, T0 + 50).deploys
    assert (mark.service, mark.commit, mark.previous_commit, mark.first_seen_s) == (FRONT, SHA, OTHER, T0 + 30)
    assert scout.serving(FRONT, T0 + 50) is None, "that it serves is for telemetry to say"


def test_a_deploy_after_the_first_bad_request_or_long_before_it_is_not_named() -> None:
    scout, _ = new_scout()
    scout.deployed(FRONT, SHA, T0 + 36)
    scout.deployed(FRONT, OTHER, T0 - 5_000)
    assert failing(scout, 35).deploy is None


def test_what_requests_show_and_the_webhook_tells_is_one_deploy() -> None:
    scout, _ = new_scout()
    scout.deployed(FRONT, SHA, T0 + 30)
    signal = failing(scout, 35, ("aaaa111", SHA))
    assert signal.deploy == SHA
    marks = [mark for mark in scout.evidence(signal, T0 + 50).deploys if mark.commit == SHA]
    assert [(mark.previous_commit, mark.first_seen_s) for mark in marks] == [("aaaa111", T0 + 35)]


def test_a_request_of_an_exporter_says_of_commits_what_its_spans_would_say_one_by_one() -> None:
    rng = random.Random(2)
    whole, single = Commits(), Commits()
    for n in range(300):
        service, commit = rng.choice(("web", "engine")), rng.choice(("", "a" * 7, "b" * 7, f"{n // 60:07}"))
        starts = sorted(T0 + n + rng.uniform(-20.0, 0.0) for _ in range(rng.choice((1, 2, 12))))
        whole.answered_from_to(service, commit, starts[0], starts[-1], starts[-1] + 1.0)
        for start_s in (starts[0], starts[-1]):
            single.answered(service, commit, start_s, starts[-1] + 1.0)
        assert whole.since(T0 - 30) == single.since(T0 - 30)
        assert whole.serving(service, T0 + n) == single.serving(service, T0 + n)


def test_an_environment_may_bring_several_services_into_service() -> None:
    web, engine, other = (ServiceSpec(name, (f"{name}/**",), environments=places) for name, places in NAMES)
    shop = replace(policies(), services=(web, engine, other))
    assert shop.deployed_in("production") == ("web", "engine")
    assert shop.deployed_in("") == ()


NAMES = (("web", ("production", "eu")), ("engine", ("production",)), ("other", ()))
