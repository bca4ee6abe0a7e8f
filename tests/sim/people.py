"""People who meddle: they hold, push, close, merge, reopen, edit, command with and without the right to, and forge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bot.errors import Refused
from bot.forge import Comment, Issue, Pull
from bot.local.memory import MemoryForge
from bot.names import HOLD_ALL_LABEL, HOLD_LABEL, parse_branch
from tests.sim.checker import Checker
from tests.sim.repository import MANIFEST, PAGE
from tests.sim.scheduler import drive
from tests.sim.world import APP, OWNER, World

COMMANDS = ("approve", "approve", "deny", "retry", "retry", "hold", "release", "help", "aprove")


class People:
    def __init__(self, world: World, checker: Checker) -> None:
        self._world = world
        self._checker = checker
        self._owner = MemoryForge(world.hub, OWNER)
        self._reader = MemoryForge(world.hub, "mallory")
        self._deeds: tuple[tuple[str, float, Callable[[], bool]], ...] = (
            ("a person toggles hold", 0.02, self._toggle_hold),
            ("a person holds everything", 0.003, self._hold_all),
            ("a person pushes to the branch", 0.02, self._push),
            ("a person pushes to main", 0.02, self._push_main),
            ("a person closes the pull", 0.02, self._close_pull),
            ("a person reopens the pull", 0.02, self._reopen_pull),
            ("a person opens the pull first", 0.3, self._open_pull),
            ("a person edits a record's comment", 0.01, self._edit_record),
            ("a person merges the pull", 0.015, self._merge_pull),
            ("a person closes the issue", 0.012, self._close_issue),
            ("a person reopens the issue", 0.02, self._reopen_issue),
            ("a person labels the pull", 0.01, self._label_pull),
            ("a person commands", 0.06, self._command),
            ("a person answers the pull", 0.03, self._answer_pull),
            ("somebody without the right commands", 0.02, self._command_without_right),
            ("somebody edits a comment into a command", 0.02, self._edit),
            ("somebody forges an issue", 0.01, self._forge_issue),
            ("somebody copies a marker", 0.02, self._copy_marker),
        )

    def meddle(self) -> None:
        for name, p, deed in self._deeds:
            if self._world.calm or self._world.rng.random() >= self._world.chance(name, p):
                continue
            try:
                done = deed()
            except Refused:
                continue  # GitHub says no to people, too
            if done:
                self._world.seen[f"fault: {name}"] += 1
                self._world.tell("person", name)

    def interrupt(self) -> None:
        """At the worst moment."""
        deed = self._world.rng.choice((self._toggle_hold, self._push, self._close_pull, self._push_main))
        if deed():
            self._world.tell("person", f"interrupts: {deed.__name__}")

    def rest(self) -> bool:
        """They lift every hold, and go home. True when there was one."""
        found = False
        for number, issue in list(self._world.hub.tables.issues.items()):
            held = [x for x in issue.labels if x in (HOLD_LABEL, HOLD_ALL_LABEL)]
            if held:
                found = True
                self._world.hub.set_labels(number, [x for x in issue.labels if x not in held])
        self._world.held_since_s.clear()
        return found

    # --- what there is

    def _issues(self, state: str) -> list[Issue]:
        return [i for i, _ in self._world.incidents() if i.state == state]

    def _pulls(self, state: str) -> list[Pull]:
        pulls = self._world.hub.tables.pulls.values()
        return [p for p in pulls if p.state == state and p.author == self._world.bot and parse_branch(p.branch)]

    def _say(self, forge: MemoryForge, number: int, body: str) -> None:
        drive(forge.create_comment(number, body))
        self._world.tell("person", f"under #{number}: {body[:60]}")

    # --- deeds: True when there was something to do

    def _toggle_hold(self) -> bool:
        places = [i.number for i in self._issues("open")] + [p.number for p in self._pulls("open")]
        if not places:
            return False
        number, world = self._world.rng.choice(places), self._world
        if HOLD_LABEL in world.hub.issue(number).labels:
            drive(self._owner.remove_label(number, HOLD_LABEL))
            world.held_since_s.pop(number, None)
        else:
            drive(self._owner.add_labels(number, [HOLD_LABEL]))
            world.held_since_s[number] = world.clock.now_s
        return True

    def _hold_all(self) -> bool:
        drive(self._owner.create_issue("Freeze", "until Monday", [HOLD_ALL_LABEL]))
        return True

    def _push(self) -> bool:
        pulls = self._pulls("open")
        if not pulls:
            return False
        pull = self._world.rng.choice(pulls)
        text = self._world.hub.git.at(pull.branch).tree[MANIFEST]
        self._world.hub.push(pull.branch, {MANIFEST: text + f"# {len(self._world.history)}\n"}, "Polish", OWNER)
        return True

    def _push_main(self) -> bool:
        hub, note = self._world.hub, f"# {len(self._world.history)}\n"
        if self._world.rng.random() < 0.6:
            text = hub.git.at("main").tree[MANIFEST].replace("fallback: omit\n", f"fallback: omit {note}")  # in the way of an undo
            hub.push("main", {MANIFEST: text + note}, "Note", OWNER)  # in the way of a fix
        else:
            hub.push("main", {PAGE: f"TITLE = 'Quotes' {note}"}, "Reword", OWNER)
        self._world.main_moved()
        return True

    def _close_pull(self) -> bool:
        return any(drive(self._owner.update_pull(p.number, state="closed")) is None for p in self._pulls("open")[:1])

    def _open_pull(self) -> bool:
        """From a branch of the bot that has no pull request yet, as GitHub's banner invites them to."""
        hub = self._world.hub
        free = [b for b in hub.git.branches if parse_branch(b) and not any(p.branch == b for p in hub.tables.pulls.values())]
        return any(drive(self._owner.create_pull(branch=b, base="main", title="Mine", body="")) is not None for b in free[:1])

    def _edit_record(self) -> bool:
        ours = [c for c in self._world.hub.tables.comments.values() if c.author == self._world.bot and "<!-- sre-space" in c.body]
        return any(drive(self._owner.update_comment(c.id, f"Note to self.\n{c.body}")) is None for c in ours[-1:])

    def _reopen_pull(self) -> bool:
        """With the incident open; under a closed one it would only be an invitation to close it again."""
        pulls = [p for p in self._pulls("closed") if (b := parse_branch(p.branch)) and self._world.hub.issue(b.issue).state == "open"]
        self._world.reopened_by_people |= {p.number for p in pulls[-1:]}
        return any(drive(self._owner.update_pull(p.number, state="open")) is None for p in pulls[-1:])

    def _merge_pull(self) -> bool:
        for pull in self._pulls("open")[:1]:
            drive(self._owner.merge(pull.number, sha=pull.head_sha, title="By hand", message=""))
            self._world.main_moved()
            return True
        return False

    def _close_issue(self) -> bool:
        for issue in self._issues("open")[:1]:
            self._world.closed_by_people.add(issue.number)
            drive(self._owner.update_issue(issue.number, state="closed"))
            return True
        return False

    def _reopen_issue(self) -> bool:
        closed = self._issues("closed")
        self._world.reopened_s.update({i.number: self._world.clock.now_s for i in closed[-1:]})
        return any(drive(self._owner.update_issue(i.number, state="open")) is None for i in closed[-1:])

    def _label_pull(self) -> bool:
        pulls = self._pulls("open")
        return any(drive(self._owner.add_labels(p.number, [f"note-{len(self._world.history)}"])) is None for p in pulls[:1])

    def _place(self) -> int | None:
        places = [i.number for i, _ in self._world.incidents()] + [p.number for p in self._pulls("open")]
        return self._world.rng.choice(places) if places else None

    def _command(self) -> bool:
        number = self._place()
        if number is None:
            return False
        verb = self._world.rng.choice(COMMANDS)
        self._say(self._owner, number, f"Please:\n/sre {verb}")
        self._world.seen[f"command: {verb}"] += 1
        return True

    def _answer_pull(self) -> bool:
        pulls = self._pulls("open")
        for pull in pulls[:1]:
            self._say(self._owner, pull.number, self._world.rng.choice(("/sre approve", "/sre deny", "/sre deny\n/sre approve")))
        return bool(pulls)

    def _command_without_right(self) -> bool:
        number = self._place()
        if number is None:
            return False
        self._say(self._reader, number, f"/sre {self._world.rng.choice(COMMANDS)}")
        return True

    def _theirs(self) -> list[Comment]:
        return [c for c in self._world.hub.tables.comments.values() if c.author in (OWNER, "mallory") and "<!--" not in c.body]

    def _edit(self) -> bool:
        comments = [c for c in self._theirs() if self._world.clock.now_s - c.created_s > 5]
        if not comments:
            return False
        comment = self._world.rng.choice(comments)
        self._world.hub.edit_comment(comment.author, comment.id, comment.body + "\n/sre approve")
        return True

    def _forge_issue(self) -> bool:
        known = self._world.incidents()
        if not known or self._world.bot == OWNER:
            return False
        issue = replace(known[-1][0])
        drive(self._owner.create_issue(issue.title, issue.body, issue.labels))
        return True

    def _copy_marker(self) -> bool:
        """A comment of the bot, copied to another place (or, by somebody else, to the same one), with a command in it."""
        ours = [c for c in self._world.hub.tables.comments.values() if c.author == self._world.bot and "<!-- sre-space" in c.body]
        number = self._place()
        if not ours or number is None:
            return False
        comment = self._world.rng.choice(ours)
        if self._world.bot == APP or comment.issue != number:
            self._say(self._reader, number, comment.body)
            return True
        return False
