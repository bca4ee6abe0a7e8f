"""Records: sealed into texts on GitHub and read back equal; what is forged, copied or damaged is as if it were not there."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import functools
import hmac
import json
import tracemalloc
import types
import typing
import zlib
from collections.abc import Callable, Coroutine
from enum import Enum
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.blind import NoTelemetry
from bot.codec import from_json, to_json
from bot.ensure import ensure_comment, ensure_issue, ensure_pull, ensure_sticky, incident_of, incidents, read_entries
from bot.errors import Refused
from bot.evidence import Evidence
from bot.forge import Comment, Issue
from bot.journal import (
    AttemptRecord,
    Call,
    CommandRecord,
    EscalationRecord,
    IncidentRecord,
    NoticeRecord,
    OutcomeRecord,
    Record,
    VerdictRecord,
)
from bot.local.memory import MemoryForge, make_memory_forge
from bot.model import Decision, OutcomeKind, Remedy, Verdict
from bot.observe import Eyes, observe
from bot.policy.testing import good_case
from bot.record import KINDS, Keyring, identity
from tests.policy.texts import load

POLICIES = load()
BOT = "sre-space[bot]"
KEYRING = Keyring(b"key", "acme/shop")
ATTEMPT = AttemptRecord(1, 1000.0)
_incident = good_case(POLICIES).incident
assert _incident is not None
INCIDENT: IncidentRecord = _incident


# --- codec


def later(kind: Any) -> st.SearchStrategy[Any]:
    """For types that contain themselves."""
    return st.deferred(lambda: values(kind))


@functools.cache
def values(kind: Any) -> st.SearchStrategy[Any]:
    """All values that a type hint of `bot.model` allows, kept small."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        return st.builds(kind, **{f.name: later(hints[f.name]) for f in dataclasses.fields(kind)})
    if origin in (typing.Union, types.UnionType):
        return st.one_of([values(arg) for arg in args])
    if origin is tuple and args[-1] is Ellipsis:
        return st.lists(values(args[0]), max_size=1).map(tuple)
    if origin is tuple:
        return st.tuples(*[values(arg) for arg in args])
    if origin is typing.Literal:
        return st.sampled_from(args)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    simple: dict[Any, st.SearchStrategy[Any]] = {
        int: st.integers(),
        float: st.floats(allow_nan=False, allow_infinity=False),
        str: st.text(max_size=6),
        bool: st.booleans(),
        type(None): st.none(),
    }
    return simple[kind]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_record_survives_the_way_through_github(kind: type[Any]) -> None:
    @settings(max_examples=40, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(later(kind), st.text(max_size=30), st.one_of(st.none(), st.integers(1, 9999)))
    def story(record: Record, text: str, number: int | None) -> None:
        assert from_json(kind, json.loads(json.dumps(to_json(record)))) == record
        body = f"{text}\n\n{KEYRING.seal(record, number)}\n{text}"
        assert KEYRING.read(body, number) == (record,)
        assert identity(record) == identity(KEYRING.read(body, number)[0])

    story()


def test_every_kind_of_record_has_its_name() -> None:
    assert set(KINDS.values()) == set(typing.get_args(Record))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"attempt": "1"}, "AttemptRecord.attempt: expected int, got str"),
        ({"attempt": True}, "expected int, got bool"),
        ({"attempt": 1.0}, "expected int, got float"),
        ({"started_s": "soon"}, "AttemptRecord.started_s"),
        ({"started_s": False}, "AttemptRecord.started_s"),
        ({"evidence": []}, "AttemptRecord.evidence"),
        ({"evidence": {"taken_s": 1, "traces": {}}}, "expected a list"),
        ({"evidence": {"taken_s": 1, "series": [[1, 2]]}}, "expected 3 items, got 2"),
        ({"evidence": {"taken_s": 1, "errors": [{"id": "x"}]}}, "missing field"),
        ({"of_tomorrow": 1}, "unknown field 'of_tomorrow'"),
        ({"started_s": None}, "AttemptRecord.started_s"),
    ],
)
def test_a_record_of_another_form_is_refused_by_name(change: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused) as told:
        from_json(AttemptRecord, to_json(ATTEMPT) | change)
    assert words in str(told.value)


def test_enums_and_literals_take_no_other_words() -> None:
    escalation = to_json(EscalationRecord(1, Call.ASK))
    for word in ("panic", "ASK", 1, None):
        with pytest.raises(Refused):
            from_json(EscalationRecord, escalation | {"call": word})
    for kind in ("rm -rf", ["revert"], None):
        with pytest.raises(Refused):
            from_json(Remedy, {"kind": kind})
    nothings: tuple[Any, ...] = (None, [], "x", 1)
    for nothing in nothings:
        with pytest.raises(Refused):
            from_json(AttemptRecord, nothing)


# --- seals


def sealed(name: str, raw: bytes, number: int, *, version: str = "1", keyring: Keyring = KEYRING, squeezed: bytes | None = None) -> str:
    """A marker made by hand, by somebody who has the key."""
    payload = base64.b64encode(zlib.compress(raw, 9) if squeezed is None else squeezed).decode()
    message = "\n".join((keyring.repository, str(number), name, payload)).encode()
    mac = hmac.new(keyring.key, message, sha256).hexdigest()[:32]
    return f"<!-- sre-space {version} {name} {payload} {mac} -->"


def raw(record: Record) -> bytes:
    return json.dumps(to_json(record)).encode()


def test_a_marker_made_by_the_book_is_read() -> None:
    assert KEYRING.read(sealed("attempt", raw(ATTEMPT), 7), 7) == (ATTEMPT,)


GOOD = KEYRING.seal(ATTEMPT, 7)
PAYLOAD, MAC = GOOD.split()[4], GOOD.split()[5]
FORGED: dict[str, str] = {
    "another key": Keyring(b"other", "acme/shop").seal(ATTEMPT, 7),
    "another repository": Keyring(b"key", "mallory/shop").seal(ATTEMPT, 7),
    "another number": KEYRING.seal(ATTEMPT, 77),
    "an issue's body": KEYRING.seal(ATTEMPT, None),
    "another kind": GOOD.replace(" attempt ", " notice "),
    "a payload exchanged": GOOD.replace(PAYLOAD, KEYRING.seal(AttemptRecord(2, 1.0), 7).split()[4]),
    "a bit flipped": GOOD.replace(PAYLOAD, ("f" if PAYLOAD[9] != "f" else "g").join((PAYLOAD[:9], PAYLOAD[10:]))),
    "a seal of nothing": GOOD.replace(MAC, "0" * 32),
    "a seal too short": GOOD.replace(MAC, MAC[:31]),
    "cut off": GOOD[:-5],
    "cut in the middle": GOOD[: len(GOOD) // 2] + " -->",
    "broken over two lines": GOOD.replace(" attempt ", " attempt\n"),
    "another version": GOOD.replace("sre-space 1", "sre-space 2"),
    "no comment": GOOD.removeprefix("<!-- "),
}


@pytest.mark.parametrize("marker", FORGED.values(), ids=FORGED)
def test_what_is_forged_copied_or_cut_is_not_there(marker: str) -> None:
    assert KEYRING.read(GOOD, 7) == (ATTEMPT,)
    assert KEYRING.read(f"hello\n{marker}\n", 7) == ()


SPOILT: dict[str, Callable[[], str]] = {
    "fields of tomorrow": lambda: sealed("attempt", b'{"attempt":1,"started_s":1.0,"mood":"good"}', 7),
    "fields of yesterday": lambda: sealed("attempt", b'{"attempt":1}', 7),
    "a kind of tomorrow": lambda: sealed("wizard", raw(ATTEMPT), 7),
    "no object": lambda: sealed("attempt", b"[1]", 7),
    "no JSON": lambda: sealed("attempt", b"attempt", 7),
    "no text": lambda: sealed("attempt", b"\xff\xfe", 7),
    "nothing squeezed": lambda: sealed("attempt", b"", 7, squeezed=b"not deflated"),
    "squeezed and cut": lambda: sealed("attempt", b"", 7, squeezed=zlib.compress(raw(ATTEMPT))[:-6]),
}


@pytest.mark.parametrize("make", SPOILT.values(), ids=SPOILT)
def test_a_record_of_ours_that_cannot_be_read_any_more_is_skipped_and_still_ours(make: Callable[[], str]) -> None:
    text = f"{make()}\n{GOOD}"
    assert KEYRING.read(text, 7) == (ATTEMPT,)
    assert KEYRING.is_ours(make(), 7) and not KEYRING.is_ours(make(), 8)


def test_a_bomb_is_not_inflated() -> None:
    bomb = sealed("attempt", raw(ATTEMPT) + b" " * (30 << 20), 7)
    assert len(bomb) < 60_000
    tracemalloc.start()
    try:
        assert KEYRING.read(bomb, 7) == ()
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 4 << 20


def test_two_records_in_one_comment_are_both_read_in_their_order() -> None:
    notice = NoticeRecord("closing", 7)
    text = f"one\n{KEYRING.seal(notice, 7)}{GOOD}\n{FORGED['another key']}\n{KEYRING.seal(AttemptRecord(2, 5.0), 7)}"
    assert KEYRING.read(text, 7) == (notice, ATTEMPT, AttemptRecord(2, 5.0))


def test_written_twice_is_the_same_record_whatever_else_it_says() -> None:
    verdict = Verdict(Decision.ALLOW, "a" * 40, "p", ())
    same: list[tuple[Record, Record]] = [
        (ATTEMPT, AttemptRecord(1, 2000.0, Evidence(1.0))),
        (CommandRecord(5, "approve", "ann", True), CommandRecord(5, "approve", "ann", False, "sha", 9)),
        (OutcomeRecord(1, OutcomeKind.HEALED, "x", 1.0), OutcomeRecord(1, OutcomeKind.FAILED, "y", 2.0)),
        (VerdictRecord(9, verdict, 4, 1), VerdictRecord(9, dataclasses.replace(verdict, policy_sha="q"), 4, 1)),
    ]
    other: list[tuple[Record, Record]] = [
        (ATTEMPT, AttemptRecord(2, 1000.0)),
        (CommandRecord(5, "approve", "ann", True), CommandRecord(5, "deny", "ann", True)),
        (OutcomeRecord(1, OutcomeKind.FAILED, "x", 1.0), OutcomeRecord(1, OutcomeKind.FAILED, "x", 1.0, undo=True)),
        (VerdictRecord(9, verdict, 4, 1), VerdictRecord(9, verdict, 4, 2)),
        (VerdictRecord(9, verdict, 4, 1), VerdictRecord(9, dataclasses.replace(verdict, head_sha="b" * 40), 4, 1)),
        (EscalationRecord(1, Call.ASK), EscalationRecord(1, Call.DENY)),
    ]
    assert all(identity(one) == identity(two) for one, two in same)
    assert all(identity(one) != identity(two) for one, two in other)


# --- on GitHub


class Board:
    """An incident on a small GitHub where the bot writes as `bot`, ann may write and mallory may only talk."""

    def __init__(self, bot: str = BOT) -> None:
        self.bot = bot
        self.forge = make_memory_forge(login=bot, permissions={"ann": "write", "mallory": "read"} | {bot: "admin"})

    async def open(self) -> int:
        return await ensure_issue(self.forge, KEYRING, self.bot, INCIDENT, "slow", "It is slow.")

    async def asked(self) -> list[tuple[str, str]]:
        eyes = Eyes(self.forge, NoTelemetry(), KEYRING, POLICIES, self.bot)
        facts = await observe(eyes, INCIDENT.fingerprint, self.forge.hub.now_s())
        return [(a.by, a.verb) for a in facts.asked]


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


@pytest.mark.parametrize("bot", [BOT, "owner"])
def test_a_text_with_our_marker_is_never_a_command(bot: str) -> None:
    """With a personal token the bot is the owner: only the seal tells its own texts from what the owner says."""

    async def story() -> None:
        board = Board(bot)
        number = await board.open()
        await ensure_comment(board.forge, KEYRING, bot, number, ATTEMPT, "People may say:\n\n/sre approve")
        await ensure_sticky(board.forge, KEYRING, bot, number, NoticeRecord("status"), "/sre retry")
        await board.forge.create_comment(number, f"/sre hold\n\n{KEYRING.seal(INCIDENT, None)}")
        assert await board.asked() == []
        await board.forge.as_user("mallory").create_comment(number, f"/sre deny\n\n{GOOD.replace(MAC, 'f' * 32)}")
        await board.forge.as_user("ann").create_comment(number, "/sre hold")
        said = [("mallory", "deny"), ("ann", "hold")]
        assert await board.asked() == said, "a forged marker hides nothing"
        await board.forge.create_comment(number, "/sre help")
        assert await board.asked() == (said if bot == BOT else [*said, ("owner", "help")])

    play(story())


def test_a_record_copied_by_a_stranger_says_nothing() -> None:
    async def story() -> None:
        board = Board()
        number = await board.open()
        await ensure_comment(board.forge, KEYRING, BOT, number, ATTEMPT, "trying")
        other = (await board.forge.create_issue("another", "", [])).number
        copy = KEYRING.seal(OutcomeRecord(1, OutcomeKind.HEALED, "well", 1.0), number)
        await board.forge.as_user("mallory").create_comment(number, f"healed!\n{copy}")
        await board.forge.create_comment(other, f"quoted: {copy}")
        assert [e.record for e in await read_entries(board.forge, KEYRING, number, BOT)] == [ATTEMPT]
        assert await read_entries(board.forge, KEYRING, other, BOT) == ()

    play(story())


def test_an_incident_forged_with_our_marker_is_nobodys() -> None:
    async def story() -> None:
        board = Board()
        genuine = await board.open()
        body = (await board.forge.issue(genuine)).body
        ann = board.forge.as_user("ann")
        forged = await ann.create_issue("slow", body, ["sre:incident"])
        assert forged.labels == ("sre:incident",) and incident_of(forged, KEYRING, BOT) is None
        made_up = await ann.create_issue("slow", f"x\n{Keyring(b'guess', 'acme/shop').seal(INCIDENT, None)}", ["sre:incident"])
        assert incident_of(made_up, KEYRING, BOT) is None
        assert [issue.number for issue, _ in await incidents(board.forge, KEYRING, BOT)] == [genuine]
        await board.forge.update_issue(genuine, body="a person emptied it")
        assert await incidents(board.forge, KEYRING, BOT) == []

    play(story())


class Raced(MemoryForge):
    """Another worker makes the same issue or comment just before ours."""

    async def create_issue(self, title: str, body: str, labels: Any) -> Issue:
        await super().create_issue(title, body, labels)
        return await super().create_issue(title, body, labels)

    async def create_comment(self, number: int, body: str) -> Comment:
        await super().create_comment(number, body)
        return await super().create_comment(number, body)


def test_twins_of_two_workers_become_one() -> None:
    async def story() -> None:
        board = Board()
        raced = Raced(board.forge.hub, BOT)
        number = await ensure_issue(raced, KEYRING, BOT, INCIDENT, "slow", "It is slow.")
        open_ones = [issue.number for issue, _ in await incidents(board.forge, KEYRING, BOT)]
        assert (number, len(open_ones)) == (min(open_ones), 2), "both workers go on with the lowest; the loop closes the other"
        assert await ensure_issue(board.forge, KEYRING, BOT, INCIDENT, "slow", "It is slow.") == number

        await ensure_comment(raced, KEYRING, BOT, number, ATTEMPT, "trying")
        writes: list[str] = []
        board.forge.hub.before_change = lambda: writes.append("written")
        await ensure_comment(board.forge, KEYRING, BOT, number, AttemptRecord(1, 7777.0), "trying again")
        assert writes == []
        (comment,) = await board.forge.comments(number)
        (entry,) = await read_entries(board.forge, KEYRING, number, BOT)
        assert (entry.comment_id, entry.record) == (comment.id, ATTEMPT), "the first one counts"

    play(story())


def test_a_pull_request_that_a_person_closed_is_not_opened_again() -> None:
    async def story() -> None:
        forge = Board().forge
        forge.hub.push("sre/fix", {"README.md": "fixed\n"}, "fix", BOT)

        async def ensure() -> tuple[int, str, bool]:
            pull, made = await ensure_pull(forge, branch="sre/fix", base="main", title="fix", body="")
            return pull.number, pull.state, made

        number, _, made = await ensure()
        assert made and await ensure() == (number, "open", False)
        await forge.as_user("ann").update_pull(number, state="closed")
        assert await ensure() == (number, "closed", False)

    play(story())


def test_a_sticky_comment_is_edited_in_place_and_only_when_it_changes() -> None:
    async def story() -> None:
        board = Board()
        number = await board.open()
        status = NoticeRecord("status")
        for text in ("thinking", "thinking", "merged"):
            await ensure_sticky(board.forge, KEYRING, BOT, number, status, text)
        (comment,) = await board.forge.comments(number)
        assert comment.body.startswith("merged\n")
        changes: list[str] = []
        board.forge.hub.before_change = lambda: changes.append("written")
        await ensure_sticky(board.forge, KEYRING, BOT, number, status, "merged")
        assert changes == []

    play(story())
