"""What must never be, checked at every write; and what must be so once the world is at rest."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bot.agents.verifier import is_bad
from bot.forge import Issue, Pull
from bot.journal import (
    AttemptRecord,
    CommandRecord,
    DiagnosisRecord,
    EscalationRecord,
    NoticeRecord,
    OutcomeRecord,
    PostMortemRecord,
    Record,
    VerdictRecord,
)
from bot.model import Decision, Health, OutcomeKind, SignalKind
from bot.names import DUPLICATE_NOTICE, HOLD_ALL_LABEL, HOLD_LABEL, FixBranch, parse_branch, trailer
from bot.record import identity
from tests.sim.service import SimTelemetry
from tests.sim.world import KEYRING, POLICIES, World


class Checker:
    def __init__(self, world: World) -> None:
        self._world = world
        self._looked_s: dict[tuple[str, str, int], float] = {}  # (process, issue | pull, number): when it was last read

    # --- records, as they stand

    def records(self, *numbers: int) -> list[Record]:
        """Each identity once, in the order in which they were written."""
        found: dict[object, Record] = {}
        for comment in sorted(self._world.hub.tables.comments.values(), key=lambda c: c.id):
            if comment.issue in numbers and comment.author == self._world.bot:
                for record in KEYRING.read(comment.body, comment.issue):
                    found.setdefault((comment.issue, identity(record)), record)
        return list(found.values())

    def pulls_of(self, issue: int) -> list[Pull]:
        """From the bot's branches, fixes and undos, whoever opened them."""
        pulls = self._world.hub.tables.pulls.values()
        return [p for p in pulls if (branch := parse_branch(p.branch)) and branch.issue == issue]

    def is_ours(self, pull: Pull) -> bool:
        branch = parse_branch(pull.branch)
        return (
            branch is not None
            and pull.author == self._world.bot
            and self._world.hub.git.commits[pull.head_sha].message.rstrip().endswith(trailer(branch))
        )

    # --- at every call

    def read(self, process: str, name: str, args: tuple[Any, ...]) -> None:
        if name in ("issue", "pull") and args:
            self._looked_s[process, name, args[0]] = self._world.clock.now_s

    def before(self, process: str, name: str, args: tuple[Any, ...], options: dict[str, Any], telemetry: SimTelemetry) -> None:
        if name == "merge":
            self._merge(process, args[0], options["sha"], telemetry)
        elif name == "create_branch" and args[0].endswith("-undo") and telemetry.said is not Health.UNHEALTHY:
            raise self._world.fail(f"begins to undo by {args[0]} while {telemetry.said}")
        elif name == "create_branch" and args[0].endswith("-undo"):
            self._undo(args[0])
        elif name in ("update_issue", "update_pull") and options.get("state") == "open":
            raise self._world.fail(f"the bot reopens #{args[0]}")
        elif name == "update_issue" and options.get("state") == "closed":
            self._close(process, args[0], options, telemetry)

    def after(self, process: str, name: str, args: tuple[Any, ...], options: dict[str, Any], telemetry: SimTelemetry) -> None:
        if name == "create_comment":
            for record in KEYRING.read(args[1], args[0]):
                self._recorded(args[0], record, telemetry)
        elif name == "create_pull":
            self._opened(options["branch"])

    def _merge(self, process: str, number: int, sha: str, telemetry: SimTelemetry) -> None:
        world, pull = self._world, self._world.hub.pull(number)
        if pull.state != "open" or pull.head_sha != sha:
            return  # GitHub refuses it
        verdicts = [r.verdict for r in self.records(number) if isinstance(r, VerdictRecord)]
        if not any(v.head_sha == sha and v.decision is Decision.ALLOW for v in verdicts):
            raise world.fail(f"merges #{number} at {sha[:7]} without a verdict that allows it")
        runs = world.hub.runs_of(world.hub.tables, "guardrail.yml", sha)
        if not any(r.status == "completed" and r.conclusion == "success" for r in runs):
            raise world.fail(f"merges #{number} at {sha[:7]} without a green guardrail run")
        branch = parse_branch(pull.branch)
        if branch is None:
            raise world.fail(f"merges #{number}, whose branch is not the bot's")
        for kind, place in (("issue", branch.issue), ("pull", number)):
            looked_s = self._looked_s.get((process, kind, place), 0.0)
            if HOLD_LABEL in world.hub.issue(place).labels and world.held_since_s.get(place, looked_s) < looked_s:
                raise world.fail(f"merges #{number} while #{place} is on hold")
        if telemetry.said is Health.UNKNOWN or telemetry.calls - telemetry.said_at_call > 1:
            raise world.fail(f"merges #{number} without knowing the health")
        if telemetry.said is Health.HEALTHY and not self._approved(branch, pull):
            raise world.fail(f"merges #{number} while healthy, with nobody's approval")

    def _undo(self, name: str) -> None:
        """A first fix that is a revert, after which nothing failed any more, has done its part whatever else is broken."""
        branch = parse_branch(name)
        assert branch is not None
        records = self.records(branch.issue)
        attempt = next(r for r in records if isinstance(r, AttemptRecord) and r.attempt == branch.attempt)
        remedies = [r.diagnosis.remedy for r in records if isinstance(r, DiagnosisRecord) and r.attempt == branch.attempt]
        after = next(r.after for r in records if isinstance(r, OutcomeRecord) and (r.attempt, r.undo) == (branch.attempt, False))
        signal = next(r.signal for i, r in self._world.incidents() if i.number == branch.issue)
        before = self._world.service.measure_window(signal.first_bad_s, attempt.started_s)
        failed = POLICIES.objectives[0].too_many_errors
        reverted = branch.attempt == 1 and signal.kind is SignalKind.ERRORS and any(r and r.kind == "revert" for r in remedies)
        if reverted and failed(before) and after is not None and not failed(after):
            raise self._world.fail(f"takes back #{branch.issue}'s first fix, which mended what it was for")

    def _approved(self, branch: FixBranch, pull: Pull) -> bool:
        records = self.records(branch.issue, pull.number)
        return any(isinstance(r, CommandRecord) and r.accepted and (r.verb, r.sha) == ("approve", pull.head_sha) for r in records)

    def _close(self, process: str, number: int, options: dict[str, Any], telemetry: SimTelemetry) -> None:
        world, issue = self._world, self._world.hub.issue(number)
        if issue.state == "closed":
            return
        mine = {r.fingerprint for i, r in world.incidents() if i.number == number}
        if options.get("reason") == "not_planned":
            older = [i for i, r in world.incidents() if r.fingerprint in mine and i.number < number]
            seen_s = {i.number: self._looked_s.get((process, "issue", i.number), 0.0) for i in older}
            if not any(i.state == "open" or (i.closed_s or 0.0) + 1.0 > seen_s[i.number] for i in older):
                raise world.fail(f"closes #{number} as a duplicate of nothing")
            return
        if telemetry.said is not Health.HEALTHY or telemetry.calls - telemetry.said_at_call > 1:
            raise world.fail(f"closes #{number} without knowing that it is healthy")
        looked_s = self._looked_s.get((process, "issue", number), 0.0)
        if issue.reopened and world.reopened_s.get(number, looked_s) < looked_s:
            raise world.fail(f"closes #{number}, which a person reopened")

    def _recorded(self, number: int, record: Record, telemetry: SimTelemetry) -> None:
        world = self._world
        if isinstance(record, AttemptRecord):
            attempts = 0
            for known in self.records(number, *(p.number for p in self.pulls_of(number))):
                if isinstance(known, AttemptRecord):
                    attempts += 1
                elif isinstance(known, CommandRecord) and known.verb == "retry" and known.accepted:
                    attempts = 0
            if attempts > POLICIES.autonomy.attempts:
                raise world.fail(f"attempt {record.attempt} is the {attempts}. of its round")
        if isinstance(record, OutcomeRecord) and record.outcome is OutcomeKind.HEALED:
            fixes = [p for p in self.pulls_of(number) if p.state == "merged" and parse_branch(p.branch) == self._fix(number, record)]
            serving = world.service.segments[-1].commit
            if not any(p.merge_sha in world.hub.git.ancestors(serving) for p in fixes):
                raise world.fail(f"attempt {record.attempt} is called healed, but its fix does not serve")
            if record.after is None or is_bad(record.after, POLICIES.objectives[0]):
                raise world.fail(f"attempt {record.attempt} is called healed without a good measurement")

        if (
            isinstance(record, OutcomeRecord)
            and record.outcome is OutcomeKind.PARTIAL
            and not self._mended_something(number, record.attempt)
        ):
            raise world.fail(f"attempt {record.attempt} is called partial, though what it was for was well before it")

    def _mended_something(self, number: int, attempt: int) -> bool:
        """Whether the promise that the incident is about was broken at some time since the attempt began (the first one: the incident)."""
        signal = next(r.signal for i, r in self._world.incidents() if i.number == number)
        begun_s = next(r.started_s for r in self.records(number) if isinstance(r, AttemptRecord) and r.attempt == attempt)
        segments = self._world.service.segments
        since = next(i for i, s in reversed(list(enumerate(segments))) if s.start_s <= (begun_s if attempt > 1 else signal.first_bad_s))
        return any(s.failing if signal.kind is SignalKind.ERRORS else s.slow for s in segments[since:])

    def _fix(self, number: int, record: OutcomeRecord) -> FixBranch:
        fp = next(r.fingerprint for i, r in self._world.incidents() if i.number == number)
        return FixBranch(fp, number, record.attempt)

    def _opened(self, branch: str) -> None:
        """At most one at a time; one that a person has pushed to is theirs."""
        name = parse_branch(branch)
        if name is None:
            raise self._world.fail(f"opens a pull request from {branch}")
        ours = [p for p in self.pulls_of(name.issue) if p.state == "open" and self.is_ours(p)]
        if len([p for p in ours if p.number not in self._world.reopened_by_people]) > 1:
            raise self._world.fail(f"#{name.issue} has {len(ours)} open pull requests: {', '.join(f'#{p.number}' for p in ours)}")

    # --- at rest

    def at_rest(self) -> None:
        world = self._world
        by_fingerprint: dict[str, list[Issue]] = {}
        for issue, record in world.incidents():
            by_fingerprint.setdefault(record.fingerprint, []).append(issue)
        health = world.service.health_at(world.clock.now_s)
        if health is not Health.HEALTHY and not by_fingerprint:
            raise world.fail("broken, and there is no issue")
        for issues in by_fingerprint.values():
            opened = [i for i in issues if i.state == "open"]
            if len(opened) > 1:
                raise world.fail(f"{len(opened)} open issues for one incident")
            for issue in issues:
                self._rest_of(issue)
            self._no_twins(opened[0] if opened else [i for i in issues if not self._is_duplicate(i)][-1])
            if opened:
                self._rest_open(opened[0], health)
            elif health is not Health.HEALTHY and not any(i.number in world.closed_by_people for i in issues):
                raise world.fail("broken, and every issue is closed though nobody closed one")

    def _rest_of(self, issue: Issue) -> None:
        world = self._world
        pulls = self.pulls_of(issue.number)
        ours = [p for p in pulls if p.state == "open" and self.is_ours(p)]
        if len(ours) > 1:
            raise world.fail(f"#{issue.number} has {len(ours)} open pull requests at rest")
        if ours and issue.state == "closed":
            raise world.fail(f"#{issue.number} is closed and #{ours[0].number} is an orphan")
        records = self.records(issue.number)
        ended = any(isinstance(r, OutcomeRecord) and not r.undo for r in records)
        learnt = any(isinstance(r, PostMortemRecord) for r in records)
        if issue.state == "closed" and ended and not learnt and not self._tried_to_learn(issue):
            raise world.fail(f"#{issue.number} is closed, and nothing was learnt")

    def _is_duplicate(self, issue: Issue) -> bool:
        return any(isinstance(r, NoticeRecord) and r.topic == DUPLICATE_NOTICE for r in self.records(issue.number))

    def _no_twins(self, issue: Issue) -> None:
        """Where the loop still looks: the incident that is going on (or was the last one), and its pull requests."""
        world = self._world
        for number in (issue.number, *(p.number for p in self.pulls_of(issue.number))):
            twins = Counter(
                identity(record)
                for c in world.hub.tables.comments.values()
                if c.issue == number and c.author == world.bot
                for record in KEYRING.read(c.body, number)
            )
            if doubled := [key for key, count in twins.items() if count > 1]:
                raise world.fail(f"#{number} says twice: {doubled}")

    def _tried_to_learn(self, issue: Issue) -> bool:
        """The curator died as often as it is started; or the issue is a duplicate or closed long ago, and another one is looked at."""
        runs = [r for r in self._world.hub.tables.runs.values() if r.title == f"curate #{issue.number}"]
        others = [i for i, _ in self._world.incidents() if i.number > issue.number or (i.state == "open" and i.number != issue.number)]
        return len(runs) >= POLICIES.autonomy.runs_per_attempt or bool(others)

    def _rest_open(self, issue: Issue, health: Health) -> None:
        """Somebody must know that it is their turn."""
        pulls = [p for p in self.pulls_of(issue.number) if p.state == "open"]
        if HOLD_LABEL in issue.labels or any(
            HOLD_ALL_LABEL in i.labels for i in self._world.hub.tables.issues.values() if i.state == "open"
        ):
            raise self._world.fail("still on hold at rest")
        if any(not self.is_ours(p) for p in pulls):
            return  # a person pushed to it: theirs
        records = self.records(issue.number, *(p.number for p in pulls))
        newest = max((r.attempt for r in records if isinstance(r, AttemptRecord)), default=0)
        called = False
        for record in records:
            if isinstance(record, EscalationRecord) and record.attempt == newest:
                called = True
            elif isinstance(record, CommandRecord) and record.accepted and record.verb == "retry" and not pulls:
                called = False  # somebody has answered the call
        if called:
            return
        if health is Health.HEALTHY and (pulls or issue.reopened):
            return  # healthy before the merge: a person decides; reopened by a person: a person closes it
        raise self._world.fail(f"#{issue.number} is open, {health}, and nobody was called")
