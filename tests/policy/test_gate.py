"""The Guardrail on a small repository: a bad commit, the bot's fix for it, and what people do to it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from bot.agents.guardrail import attempts_used, gate
from bot.errors import Missing, Retry
from bot.forge import Issue, Pull
from bot.journal import AttemptRecord, CommandRecord, DiagnosisRecord, Record
from bot.model import Decision, Diagnosis, Event, Phase, Remedy, Verdict
from bot.names import HOLD_ALL_LABEL, FixBranch
from bot.policy.case import NotOurs
from bot.policy.testing import good_case
from bot.record import Keyring
from tests.policy.repository import BINARY, BOT, Repository
from tests.policy.texts import load

POLICIES = load()
KEYRING = Keyring(b"key", "acme/shop")
INCIDENT = good_case(POLICIES).incident
assert INCIDENT is not None
FP, ISSUE, PULL, NOW_S = INCIDENT.fingerprint, 7, 8, 10_000.0
RATES, BROKEN_RATES = "a = 1\nb = 2\n", "a = 1\nb = 0\n"


@dataclass
class Heard:
    events: list[Event] = field(default_factory=list)

    def say(self, event: Event) -> None:
        self.events.append(event)


@dataclass
class World:
    """main: a good commit, a bad one, a harmless one. Issue #7 is the incident, #8 the bot's revert of the bad commit."""

    repo: Repository = field(default_factory=Repository)
    heard: Heard = field(default_factory=Heard)
    bad: str = ""

    def __post_init__(self) -> None:
        assert INCIDENT is not None
        self.repo.push_main({"app/shop/rates.py": RATES, "docs/a.md": "docs\n", "bot/x.py": "x\n"})
        self.bad = self.repo.push_main({"app/shop/rates.py": BROKEN_RATES}, "new rates")
        self.repo.push_main({"docs/a.md": "more docs\n"})
        body = f"It broke.\n\n{KEYRING.seal(INCIDENT, None)}\n"
        self.repo.all_issues[ISSUE] = Issue(ISSUE, "Errors", body, BOT, "open", ("sre:incident",), NOW_S)
        self.record(AttemptRecord(1, NOW_S))
        self.diagnosed(1)
        self.open_pull(PULL, FixBranch(FP, ISSUE, 1), {"app/shop/rates.py": RATES})

    def record(self, record: Record, number: int = ISSUE, author: str = BOT, place: int | None = None) -> None:
        at_s = NOW_S + len(self.repo.all_comments)
        self.repo.say(number, f"text\n\n{KEYRING.seal(record, number if place is None else place)}\n", author, at_s)

    def diagnosed(self, attempt: int, confidence: float = 0.97) -> None:
        remedy = Remedy("revert", commit=self.bad)
        diagnosis = Diagnosis("culprit", "new rates broke it", (), (), (), confidence, "brain", "", remedy)
        self.record(DiagnosisRecord(attempt, diagnosis, self.repo.main))

    def open_pull(self, number: int, branch: FixBranch | str, changes: dict[str, str | None], author: str = BOT) -> None:
        head = self.repo.add_commit([self.repo.main], changes, "fix")
        self.repo.branch_heads[str(branch)] = head
        self.repo.all_pulls[number] = Pull(number, "Fix", "Refs #7", author, str(branch), head, "main", "open", "", "", (), NOW_S)

    def merge(self, number: int) -> None:
        pull = self.repo.all_pulls[number]
        changes = {path: self.repo.trees[pull.head_sha].get(path) for path in ("app/shop/rates.py",)}
        sha = self.repo.push_main(changes, "squashed")
        self.repo.all_pulls[number] = replace(pull, state="merged", merge_sha=sha)

    def judge(self, number: int = PULL) -> Verdict:
        verdict = self.gate(number)
        assert isinstance(verdict, Verdict)
        return verdict

    def gate(self, number: int = PULL) -> Verdict | NotOurs:
        return asyncio.run(gate(self.repo, POLICIES, KEYRING, number, self.heard, bot=BOT, now_s=NOW_S + 60))


def causes(verdict: Verdict) -> tuple[Decision, list[str]]:
    return verdict.decision, [reason.rule for reason in verdict.reasons if reason.decision is verdict.decision]


def test_the_bots_revert_of_the_bad_commit_is_allowed_at_its_head_and_says_so() -> None:
    world = World()
    verdict = world.judge()
    assert verdict.decision is Decision.ALLOW
    assert (verdict.head_sha, verdict.policy_sha) == (world.repo.all_pulls[PULL].head_sha, POLICIES.sha)
    (event,) = world.heard.events
    assert (event.agent, event.phase, event.incident) == ("guardrail", Phase.DECIDE, "7")


def test_main_moves_on_and_the_fix_is_still_judged_on_its_own_base() -> None:
    world = World()
    world.repo.push_main({"app/shop/rates.py": BROKEN_RATES + "c = 3\n"}, "another change of the same file")
    assert world.judge().decision is Decision.ALLOW


def test_a_person_adds_a_commit_and_the_fix_is_no_longer_the_bots() -> None:
    world = World()
    pull = world.repo.all_pulls[PULL]
    head = world.repo.add_commit([pull.head_sha], {"app/shop/rates.py": RATES + "import evil\n"}, "just a small thing")
    world.repo.all_pulls[PULL] = replace(pull, head_sha=head)
    assert causes(world.judge()) == (Decision.DENY, ["proposal"])


def test_a_branch_that_a_person_pushed_to_is_theirs_even_if_nothing_changes() -> None:
    world = World()
    pull = world.repo.all_pulls[PULL]
    world.repo.all_pulls[PULL] = replace(pull, head_sha=world.repo.add_commit([pull.head_sha], {}, "start the checks again"))
    assert causes(world.judge()) == (Decision.DENY, ["proposal"])


def test_a_person_rewrites_the_commit_and_the_fix_is_not_what_was_recorded() -> None:
    world = World()
    world.open_pull(PULL, FixBranch(FP, ISSUE, 1), {"app/shop/rates.py": RATES + "import evil\n"})
    verdict = world.judge()
    assert causes(verdict) == (Decision.DENY, ["proposal"])
    (reason,) = [reason for reason in verdict.reasons if reason.rule == "proposal"]
    assert [child.observed for child in reason.children] == ["app/shop/rates.py"]


def test_a_file_smuggled_in_is_denied_whatever_it_is() -> None:
    for path, text in (("app/shop/more.py", "x\n"), ("bot/x.py", "y\n"), ("app/shop/logo.png", BINARY)):
        world = World()
        world.open_pull(PULL, FixBranch(FP, ISSUE, 1), {"app/shop/rates.py": RATES, path: text})
        decision, rules = causes(world.judge())
        assert decision is Decision.DENY and "proposal" in rules


def test_a_fix_merged_is_undone_without_any_confidence() -> None:
    world = World()
    world.merge(PULL)
    world.open_pull(9, FixBranch(FP, ISSUE, 1, undo=True), {"app/shop/rates.py": BROKEN_RATES})
    assert world.judge(9).decision is Decision.ALLOW


def test_an_undo_of_what_was_never_merged_is_denied() -> None:
    world = World()
    world.open_pull(9, FixBranch(FP, ISSUE, 1, undo=True), {"app/shop/rates.py": RATES})
    assert causes(world.judge(9)) == (Decision.DENY, ["proposal", "undo"])
    for state, author in (("closed", BOT), ("merged", "mallory")):  # GitHub gives open and closed ones a trial merge, too
        fix = replace(world.repo.all_pulls[PULL], state=state, author=author, merge_sha=world.bad)  # type: ignore[arg-type]
        world.repo.all_pulls[PULL] = fix
        assert causes(world.judge(9)) == (Decision.DENY, ["proposal", "undo"])


def test_peoples_pull_requests_are_none_of_our_business() -> None:
    world = World()
    world.open_pull(9, "feature/rates", {"bot/x.py": "y\n"}, author="ann")
    assert world.gate(9) == NotOurs(9)
    world.open_pull(10, "feature/more", {"bot/x.py": "y\n"}, author=BOT)  # with a token of its own the bot is the owner, who works here too
    assert world.gate(10) == NotOurs(10)
    assert world.heard.events == []


@pytest.mark.parametrize("branch", [str(FixBranch(FP, ISSUE, 2)), "sre/hotfix", f"sre/{FP}/7/1-undo/x", "sre/"])
def test_a_branch_in_the_bots_namespace_by_somebody_else_is_denied(branch: str) -> None:
    world = World()
    world.open_pull(9, branch, {"app/shop/rates.py": RATES}, author="mallory")
    assert causes(world.judge(9)) == (Decision.DENY, ["own-work"])


def test_a_person_approves_a_doubtful_fix_and_a_later_push_voids_it() -> None:
    world = World()
    world.repo.all_comments.clear()
    world.record(AttemptRecord(1, NOW_S))
    world.diagnosed(1, confidence=0.6)
    assert causes(world.judge()) == (Decision.ASK, ["confidence"])
    head = world.repo.all_pulls[PULL].head_sha
    world.record(CommandRecord(77, "approve", "ann", True, head, PULL), number=PULL)
    assert world.judge().decision is Decision.ALLOW
    world.repo.push_main({"docs/a.md": "even more\n"})
    world.open_pull(PULL, FixBranch(FP, ISSUE, 1), {"app/shop/rates.py": RATES})
    assert world.repo.all_pulls[PULL].head_sha != head
    assert causes(world.judge()) == (Decision.ASK, ["confidence"])


def test_a_person_denies_and_the_gate_denies() -> None:
    world = World()
    world.record(CommandRecord(78, "deny", "ann", True, world.repo.all_pulls[PULL].head_sha, PULL), number=PULL)
    assert causes(world.judge()) == (Decision.DENY, ["said-no"])


def test_refused_commands_count_for_nothing() -> None:
    world = World()
    world.record(CommandRecord(79, "deny", "eve", False, world.repo.all_pulls[PULL].head_sha, PULL), number=PULL)
    world.record(CommandRecord(80, "deny", "ann", True, "", 99), number=PULL)
    assert world.judge().decision is Decision.ALLOW


def test_a_record_that_somebody_else_posts_or_copies_is_not_there() -> None:
    for author, place in (("mallory", ISSUE), (BOT, 6)):
        world = World()
        world.repo.all_comments.clear()
        world.record(AttemptRecord(1, NOW_S))
        remedy = Remedy("revert", commit=world.bad)
        sure = Diagnosis("culprit", "x", (), (), (), 0.99, "brain", "", remedy)
        world.record(DiagnosisRecord(1, sure, world.repo.main), author=author, place=place)
        decision, rules = causes(world.judge())
        assert decision is Decision.DENY and "proposal" in rules


def test_the_issue_is_somebody_elses_or_gone_and_the_fix_has_no_reason() -> None:
    world = World()
    world.repo.all_issues[ISSUE] = replace(world.repo.all_issues[ISSUE], author="mallory")
    assert causes(world.judge()) == (Decision.DENY, ["incident"])
    del world.repo.all_issues[ISSUE]
    assert world.judge().decision is Decision.DENY


def test_a_hold_on_everything_stops_the_gate_until_it_is_lifted() -> None:
    world = World()
    world.repo.all_issues[2] = Issue(2, "Freeze", "", "ann", "open", (HOLD_ALL_LABEL,), NOW_S)
    assert causes(world.judge()) == (Decision.DENY, ["hold"])
    world.repo.all_issues[2] = replace(world.repo.all_issues[2], state="closed")
    assert world.judge().decision is Decision.ALLOW


def test_caps_count_the_bots_own_pull_requests_only() -> None:
    world = World()
    for number in range(20, 23):
        world.open_pull(number, f"feature/{number}", {"docs/a.md": f"{number}\n"}, author="ann")
    assert world.judge().decision is Decision.ALLOW
    for number in range(23, 26):
        world.open_pull(number, FixBranch("b" * 12, number, 1), {"app/shop/rates.py": RATES})
    assert causes(world.judge()) == (Decision.ASK, ["open-pulls"])


def test_the_fourth_attempt_is_denied_until_a_person_says_retry_wherever_they_say_it() -> None:
    world = World()
    for attempt in (2, 3, 4):
        world.record(AttemptRecord(attempt, NOW_S))
        world.diagnosed(attempt)
    world.open_pull(9, FixBranch(FP, ISSUE, 4), {"app/shop/rates.py": RATES})
    assert causes(world.judge(9)) == (Decision.DENY, ["attempts"])
    world.record(CommandRecord(81, "retry", "ann", True), number=PULL)
    assert world.judge(9).decision is Decision.ALLOW


def test_attempts_are_counted_since_the_last_retry() -> None:
    first, second, third = (AttemptRecord(n, 0.0) for n in (1, 2, 3))
    retry, refused = CommandRecord(1, "retry", "ann", True), CommandRecord(2, "retry", "eve", False)
    assert attempts_used([first, second, third], 3) == 3
    assert attempts_used([first, second, second], 2) == 2  # written twice, one attempt
    assert attempts_used([first, second, third], 2) == 2
    assert attempts_used([first, second, retry, third], 3) == 1
    assert attempts_used([first, second, refused, third], 3) == 3
    assert attempts_used([first, retry], 1) == 1
    assert attempts_used([first], 2) == 0
    assert attempts_used([], 1) == 0


def test_github_is_down_and_there_is_no_verdict() -> None:
    class Down(Repository):
        async def read_file(self, path: str, ref: str) -> str | None:
            raise Retry("GitHub answers 502")

    world = World()
    world.repo = Down(**vars(world.repo))
    with pytest.raises(Retry):
        world.judge()
    with pytest.raises(Missing):
        World().judge(99)
