"""Every branch of `decide`, a row each; and that it always has an answer."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.decide import (
    Answer,
    Begin,
    CloseDuplicate,
    CloseIssue,
    ClosePull,
    Conclude,
    CreateBranch,
    DropTwin,
    Escalate,
    JoinOlder,
    Judge,
    Learn,
    Merge,
    Note,
    OpenIssue,
    OpenPull,
    RerunGate,
    Step,
    Think,
    Wait,
    decide,
)
from bot.facts import Attempt, Facts, PullFacts
from bot.journal import Call
from bot.model import Decision, Health, OutcomeKind
from tests.decide_facts import (
    AUTONOMY,
    HEAD,
    LESSON,
    NOW_S,
    asked,
    attempt,
    called,
    diagnosed,
    facts,
    issue,
    measured,
    outcome,
    proposed,
    pull,
    run,
    said,
    verdict,
)

HEALTHY, UNKNOWN = Health.HEALTHY, Health.UNKNOWN
HEALED, FAILED, ERROR, INCONCLUSIVE = OutcomeKind.HEALED, OutcomeKind.FAILED, OutcomeKind.ERROR, OutcomeKind.INCONCLUSIVE
PARTIAL = OutcomeKind.PARTIAL
WELL: dict[str, Any] = {"health": HEALTHY, "signal": None}
QUIET: dict[str, Any] = {**WELL, "quiet": True}
CLOSED = issue(state="closed", closed_s=NOW_S - 100)


def with_pull(p: PullFacts, **differs: Any) -> Facts:
    return facts(attempt(diagnosis=diagnosed(), pull=p), **differs)


def ended(kind: OutcomeKind, pull_state: str = "merged", undo: PullFacts | None = None, **differs: Any) -> Attempt:
    return attempt(diagnosis=diagnosed(), pull=proposed(pull_state), outcome=outcome(kind), undo=undo, **differs)


def thinking(*runs: Any) -> Facts:
    return facts(attempt(runs=runs))


ROWS: dict[str, tuple[Facts, Step | type[Step]]] = {
    # --- is there anything to do at all
    "nothing is broken": (facts(issue=None, signal=None), Wait),
    "something broke": (facts(issue=None), OpenIssue()),
    "something broke, on hold": (facts(issue=None, held=True), Wait("on hold")),
    "something broke, under maintenance": (facts(issue=None, maintenance="until noon: x"), Wait("a maintenance window")),
    "something broke, from the cause of another incident": (facts(issue=None, part_of="#4"), Wait("part of another incident")),
    "an incident of its own is open, and its service is under maintenance": (facts(maintenance="until noon: x"), Begin(1)),
    "a stray pull request, and no issue": (facts(issue=None, strays=(4,)), ClosePull(4, "its incident is closed")),
    "a stray pull request beside an open issue": (facts(strays=(4,)), ClosePull(4, "its incident is closed")),
    "a stray pull request, but on hold": (facts(strays=(4,), held=True), Wait("on hold")),
    "two issues for one incident": (facts(duplicates=(2, 3)), CloseDuplicate(2)),
    "it turns out to be part of an older incident": (facts(part_of="#4"), JoinOlder(4)),
    "the same, while a diagnosis runs": (facts(attempt(runs=(run("in_progress", ""),)), part_of="#4"), JoinOlder(4)),
    "the same, but it is well again": (facts(part_of="#4", **WELL), Wait),
    "the same, but something is proposed": (with_pull(proposed(), part_of="#4"), Merge(1, 5, HEAD, undo=False)),
    "the same, but a person was called": (facts(attempt(), part_of="#4", called=called(Call.UNSURE)), Think(1)),
    "the same, but a person has reopened it": (facts(part_of="#4", issue=issue(reopened=True)), Begin(1)),
    "the same, on hold": (facts(part_of="#4", held=True), Wait("on hold")),
    "a record was written twice": (facts(twins=(8,)), DropTwin(8)),
    # --- people come first
    "somebody asks": (facts(asked=(asked(),)), Answer(asked())),
    "somebody releases a hold": (facts(asked=(asked("release"),), held=True), Answer(asked("release"))),
    "somebody asks under a closed incident": (facts(asked=(asked(),), issue=CLOSED), Answer(asked())),
    "on hold": (facts(held=True), Wait("on hold")),
    # --- closed
    "closed without an attempt": (facts(issue=CLOSED), Wait("closed")),
    "closed, and no attempt ended": (facts(attempt(), issue=CLOSED), Wait("closed")),
    "closed, not learnt for a while": (facts(ended(HEALED), issue=CLOSED), Learn(1)),
    "closed, learning": (facts(ended(HEALED), issue=issue(state="closed", closed_s=NOW_S - 10)), Wait("the curator is at it")),
    "closed, learnt": (facts(ended(HEALED), issue=CLOSED, post_mortem=LESSON), Wait("closed")),
    "closed, the curator died as often as it may": (facts(ended(HEALED), issue=CLOSED, lessons=2), Wait("closed")),
    # --- the first attempt
    "an incident begins": (facts(), Begin(1)),
    "an incident begins after a restart": (facts(health=UNKNOWN, signal=None), Begin(1)),
    "well again at once": (facts(**WELL), Wait),
    "well again for long enough": (facts(**QUIET), CloseIssue("gone")),
    "well again, but a person reopened it": (facts(**QUIET, issue=issue(reopened=True)), Wait),
    # --- thinking
    "an attempt without a run": (thinking(), Think(1)),
    "a run is alive": (thinking(run("in_progress", "")), Wait("thinking")),
    "a run takes too long": (thinking(run("in_progress", "", age_s=301)), Think(1)),
    "a run has just ended": (thinking(run(age_s=2)), Wait("thinking")),
    "a run ended without an answer": (thinking(run()), Think(1)),
    "two runs ended without an answer": (thinking(run(), run()), Conclude(1, ERROR, "the diagnosis ended without an answer 2 times")),
    "well again while thinking": (facts(attempt(), **WELL), Wait),
    "well again for long while thinking": (facts(attempt(), **QUIET), CloseIssue("gone")),
    # --- diagnosed
    "unsure: a second thought": (facts(attempt(diagnosis=diagnosed(0.9))), Begin(2)),
    "unsure twice, without a remedy": (
        facts(attempt(diagnosis=diagnosed(0.5)), attempt(2, diagnosis=diagnosed(0.5, remedy=False, number=2))),
        Escalate(2, Call.UNSURE),
    ),
    "unsure twice, with a remedy": (
        facts(attempt(diagnosis=diagnosed(0.5)), attempt(2, diagnosis=diagnosed(0.5, number=2))),
        CreateBranch(2, undo=False),
    ),
    "unsure in the last attempt": (
        facts(
            *(attempt(n, outcome=outcome(ERROR, number=n)) for n in (1, 2)), attempt(3, diagnosis=diagnosed(0.5, remedy=False, number=3))
        ),
        Escalate(3, Call.UNSURE),
    ),
    "sure, without a remedy": (facts(attempt(diagnosis=diagnosed(remedy=False))), Escalate(1, Call.UNSURE)),
    "a fix to be committed": (facts(attempt(diagnosis=diagnosed())), CreateBranch(1, undo=False)),
    "as many open pull requests as may be": (facts(attempt(diagnosis=diagnosed()), open_pulls=3), Wait),
    "as many pull requests in an hour as may be": (facts(attempt(diagnosis=diagnosed()), pulls_last_hour=6), Wait),
    "a fix to be proposed": (facts(attempt(diagnosis=diagnosed(), branch_sha=HEAD)), OpenPull(1, undo=False)),
    # --- a pull request is open
    "no check yet": (with_pull(proposed(gate_run=None)), Wait("the guardrail is at it")),
    "the check runs": (with_pull(proposed(gate_run=run("queued", ""))), Wait("the guardrail is at it")),
    "no check for too long": (with_pull(proposed(gate_run=None, pull=pull(created_s=NOW_S - 301))), Escalate(1, Call.NO_CHECK)),
    "the check hangs": (with_pull(proposed(gate_run=run("in_progress", "", age_s=301))), Escalate(1, Call.NO_CHECK)),
    "the check has run": (with_pull(proposed(verdict=None)), Judge(1, 5)),
    "the check has run again": (with_pull(proposed(gate_run=run(attempt=2))), Judge(1, 5)),
    "both allow": (with_pull(proposed()), Merge(1, 5, HEAD, undo=False)),
    "the check is red": (with_pull(proposed(gate_run=run(conclusion="failure"))), RerunGate(7, 5)),
    "the check is red again": (
        with_pull(proposed(gate_run=run(conclusion="failure", attempt=2), verdict=verdict(run_attempt=2))),
        Escalate(1, Call.DISAGREE),
    ),
    "the check was cancelled again": (
        with_pull(proposed(gate_run=run(conclusion="cancelled", attempt=2), verdict=verdict(run_attempt=2))),
        Escalate(1, Call.DISAGREE),
    ),
    "we ask": (with_pull(proposed(gate_run=run(conclusion="failure"), verdict=verdict(Decision.ASK))), Escalate(1, Call.ASK)),
    "we deny": (with_pull(proposed(gate_run=run(conclusion="failure"), verdict=verdict(Decision.DENY))), Escalate(1, Call.DENY)),
    "we ask where the check is green": (with_pull(proposed(verdict=verdict(Decision.ASK))), Escalate(1, Call.ASK)),
    "we deny where the check is green": (with_pull(proposed(verdict=verdict(Decision.DENY))), Escalate(1, Call.DENY)),
    "it does not merge": (with_pull(proposed(pull=pull(mergeable=False))), Escalate(1, Call.CONFLICT)),
    "GitHub has refused to merge for a moment": (with_pull(proposed(refused_s=NOW_S - 10)), Merge(1, 5, HEAD, undo=False)),
    "GitHub has refused to merge for long": (with_pull(proposed(refused_s=NOW_S - 301)), Escalate(1, Call.CONFLICT)),
    "a person pushed to it": (with_pull(proposed(ours=False)), Wait),
    "a person pushed to it, and denied it": (
        with_pull(proposed(ours=False, approval=said("deny"))),
        ClosePull(5, "@olga denied it"),
    ),
    "a person was called already": (
        with_pull(proposed(verdict=verdict(Decision.DENY)), called=called(Call.DENY)),
        Wait("a person was called"),
    ),
    "called for another reason, later for the first one again": (
        with_pull(proposed(verdict=verdict(Decision.DENY)), called=(*called(Call.DENY), *called(Call.NO_CHECK))),
        Wait("a person was called"),
    ),
    "called in another attempt": (with_pull(proposed(verdict=verdict(Decision.DENY)), called=called(Call.DENY, 2)), Escalate(1, Call.DENY)),
    # --- what people said about it
    "denied": (with_pull(proposed(approval=said("deny"))), ClosePull(5, "@olga denied it")),
    "approved after the verdict": (
        with_pull(
            proposed(
                approval=said("approve"),
                approval_is_newer=True,
                verdict=verdict(Decision.ASK, 2),
                gate_run=run(conclusion="failure", attempt=2),
            )
        ),
        RerunGate(7, 5),
    ),
    "approved before the verdict, judged without it": (
        with_pull(proposed(approval=said("approve"), gate_run=run(conclusion="failure"))),
        RerunGate(7, 5),
    ),
    "approved, and denied by the rules all the same": (
        with_pull(
            proposed(approval=said("approve"), verdict=verdict(Decision.DENY, 2), gate_run=run(conclusion="failure", attempt=2)),
        ),
        Escalate(1, Call.DENY),
    ),
    "approved and allowed": (with_pull(proposed(approval=said("approve"))), Merge(1, 5, HEAD, undo=False)),
    # --- health while it is open
    "not measured": (with_pull(proposed(), health=UNKNOWN, signal=None), Wait("not measured: nothing is merged blindly")),
    "healthy before the merge": (with_pull(proposed(), **WELL), Note("healthy-before-merge", 5)),
    "healthy before the merge, and said so": (with_pull(proposed(healthy_noticed=True), **WELL), Wait),
    "healthy for long before the merge": (with_pull(proposed(healthy_noticed=True), **QUIET), Wait),
    "broken again before the merge": (with_pull(proposed(healthy_noticed=True)), Escalate(1, Call.FLAPPING)),
    "healthy before the merge, and wanted all the same": (
        with_pull(proposed(healthy_noticed=True, approval=said("approve")), **WELL),
        Merge(1, 5, HEAD, undo=False),
    ),
    # --- merged, or closed
    "merged, not verified yet": (with_pull(proposed("merged")), Wait("merged: watching the same signal")),
    "merged and verified": (with_pull(proposed("merged", verified=(HEALED, "well", measured())), **WELL), Conclude(1, HEALED, "well")),
    "a person closed it": (with_pull(proposed("closed")), Escalate(1, Call.CLOSED)),
    "a person closed it, and was answered": (with_pull(proposed("closed"), called=called(Call.CLOSED)), Wait("a person was called")),
    "a person closed it, and it got well": (with_pull(proposed("closed"), called=called(Call.CLOSED), **QUIET), CloseIssue("gone")),
    "a person closed it, then asked for a retry": (with_pull(proposed("closed"), counted=0, called=called(Call.CLOSED)), Begin(2)),
    "a retry while it is healthy": (with_pull(proposed("closed"), counted=0, **WELL), Wait),
    "a retry, then the pull request was reopened": (with_pull(proposed(verdict=verdict(Decision.DENY)), counted=0), Escalate(1, Call.DENY)),
    # --- an attempt has ended
    "healed": (facts(ended(HEALED), **WELL), CloseIssue("healed")),
    "healed, and broken again before it was closed": (facts(ended(HEALED)), Begin(2)),
    "healed, but not measured now": (facts(ended(HEALED), health=UNKNOWN, signal=None), Wait),
    "healed, and a person reopened it": (facts(ended(HEALED), **WELL, issue=issue(reopened=True)), Wait),
    "healed, reopened, broken": (facts(ended(HEALED), issue=issue(reopened=True)), Begin(2)),
    "merged, but not measured": (facts(ended(INCONCLUSIVE)), Escalate(1, Call.UNPROVEN)),
    "merged, but never served": (facts(ended(ERROR)), Escalate(1, Call.UNPROVEN)),
    "it did its part": (facts(ended(PARTIAL)), Begin(2)),
    "it did its part with the last attempt": (facts(ended(PARTIAL, number=3), counted=3), Escalate(3, Call.ATTEMPTS)),
    "it did its part, and the rest went by itself": (facts(ended(PARTIAL), **QUIET), CloseIssue("gone")),
    "merged, not measured, then well for long": (facts(ended(INCONCLUSIVE), **QUIET), CloseIssue("gone")),
    "it did not heal": (facts(ended(FAILED)), CreateBranch(1, undo=True)),
    "it did not heal, and nothing is measured": (facts(ended(FAILED), health=UNKNOWN, signal=None), Wait),
    "it did not heal, and then it got well": (facts(ended(FAILED), **WELL), Wait),
    "an undo to be proposed": (facts(ended(FAILED, undo_branch_sha=HEAD)), OpenPull(1, undo=True)),
    "an undo to be judged": (facts(ended(FAILED, undo=proposed(verdict=None))), Judge(1, 5)),
    "an undo that may be merged": (facts(ended(FAILED, undo=proposed())), Merge(1, 5, HEAD, undo=True)),
    "an undo is open while it is well for long": (facts(ended(FAILED, undo=proposed(healthy_noticed=True)), **QUIET), Wait),
    "an undo was closed by a person": (facts(ended(FAILED, undo=proposed("closed"))), Escalate(1, Call.CLOSED)),
    "an undo serves": (
        facts(ended(FAILED, undo=proposed("merged", verified=(FAILED, "out", None)))),
        Conclude(1, FAILED, "out", undo=True),
    ),
    "an undo is done": (facts(ended(FAILED, undo=proposed("merged"), undo_outcome=outcome(FAILED, undo=True))), Begin(2)),
    "an undo can't be made": (facts(ended(FAILED, undo_outcome=outcome(ERROR, undo=True))), Escalate(1, Call.UNDO)),
    "an attempt ended without a pull request": (facts(attempt(outcome=outcome(ERROR))), Begin(2)),
    "an attempt ended, and it is well": (facts(attempt(outcome=outcome(ERROR)), **WELL), Wait),
    "all attempts are used up": (
        facts(*(attempt(n, outcome=outcome(ERROR, number=n)) for n in (1, 2, 3))),
        Escalate(3, Call.ATTEMPTS),
    ),
    "a retry after all attempts": (facts(*(attempt(n, outcome=outcome(ERROR, number=n)) for n in (1, 2, 3)), counted=0), Begin(4)),
    # --- what an attempt that is over has left
    "an ended attempt has an open pull request": (facts(ended(ERROR, "open")), ClosePull(5, "its attempt is over")),
    "an earlier attempt has an open pull request": (
        facts(attempt(diagnosis=diagnosed(), pull=proposed()), attempt(2)),
        ClosePull(5, "its attempt is over"),
    ),
    "an earlier attempt has a pull request that a person pushed to": (
        facts(attempt(diagnosis=diagnosed(), pull=proposed(ours=False)), attempt(2)),
        Think(2),
    ),
    "an undo that was given up is open": (
        facts(ended(FAILED, undo=proposed(), undo_outcome=outcome(ERROR, undo=True))),
        ClosePull(5, "its attempt is over"),
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_row(name: str) -> None:
    given_facts, expected = ROWS[name]
    step = decide(given_facts, AUTONOMY)
    if isinstance(expected, type):
        assert isinstance(step, expected)
    else:
        assert step == expected


def test_every_kind_of_step_and_of_call_has_a_row() -> None:
    steps = [decide(given_facts, AUTONOMY) for given_facts, _ in ROWS.values()]
    assert {type(step) for step in steps} == set(get_args(Step))
    assert {step.call for step in steps if isinstance(step, Escalate)} == set(Call)


# --- any facts at all ------------------------------------------------------------------------------------------------------------------

runs = st.builds(
    run,
    status=st.sampled_from(["queued", "in_progress", "completed"]),
    conclusion=st.sampled_from(["", "success", "failure", "cancelled"]),
    age_s=st.sampled_from([1.0, 60.0, 1000.0]),
    attempt=st.integers(1, 3),
)
pulls = st.builds(
    proposed,
    state=st.sampled_from(["open", "closed", "merged"]),
    ours=st.booleans(),
    gate_run=st.none() | runs,
    verdict=st.none() | st.builds(verdict, st.sampled_from(Decision), st.integers(1, 3)),
    approval=st.none() | st.builds(said, st.sampled_from(["approve", "deny"])),
    approval_is_newer=st.booleans(),
    healthy_noticed=st.booleans(),
    verified=st.none() | st.tuples(st.sampled_from(OutcomeKind), st.just("so"), st.none()),
    refused_s=st.none() | st.sampled_from([NOW_S - 1, NOW_S - 1000]),
)
outcomes = st.none() | st.builds(outcome, st.sampled_from(OutcomeKind))
attempts = st.builds(
    attempt,
    number=st.integers(1, 5),
    runs=st.lists(runs, max_size=3).map(tuple),
    diagnosis=st.none() | st.builds(diagnosed, st.floats(0, 1), remedy=st.booleans()),
    branch_sha=st.none() | st.just(HEAD),
    pull=st.none() | pulls,
    outcome=outcomes,
    undo_branch_sha=st.none() | st.just(HEAD),
    undo=st.none() | pulls,
    undo_outcome=outcomes,
)
numbers = st.lists(st.integers(1, 9), max_size=2).map(tuple)


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    return facts(
        *draw(st.lists(attempts, max_size=4)),
        health=draw(st.sampled_from(Health)),
        signal=draw(st.none() | st.just(facts().signal)),
        quiet=draw(st.booleans()),
        issue=draw(st.none() | st.builds(issue, state=st.sampled_from(["open", "closed"]), reopened=st.booleans())),
        duplicates=draw(numbers),
        strays=draw(numbers),
        twins=draw(numbers),
        held=draw(st.booleans()),
        asked=draw(st.sampled_from([(), (asked(),)])),
        counted=draw(st.integers(0, 5)),
        called=draw(st.lists(st.builds(called, st.sampled_from(Call), st.integers(1, 5)), max_size=2).map(lambda found: sum(found, ()))),
        post_mortem=draw(st.none() | st.just(LESSON)),
        lessons=draw(st.integers(0, 3)),
        open_pulls=draw(st.integers(0, 4)),
        pulls_last_hour=draw(st.integers(0, 7)),
    )


@given(any_facts())
@settings(max_examples=250, derandomize=True)
def test_any_facts_have_one_step(found: Facts) -> None:
    step = decide(found, AUTONOMY)
    assert isinstance(step, get_args(Step))
    assert step == decide(found, AUTONOMY)
    if isinstance(step, Merge):
        p = next(p for x in found.attempts for p in (x.pull, x.undo) if p and p.pull.state == "open" and p.ours)
        assert found.health is not Health.UNKNOWN and not found.held and p.gate_run is not None and p.gate_run.status == "completed"
    if isinstance(step, CloseIssue):
        assert found.health is Health.HEALTHY or found.quiet
        assert found.issue is not None and not found.issue.reopened
