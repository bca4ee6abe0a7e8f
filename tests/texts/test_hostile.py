"""Whatever telemetry, commits, models and people put into our texts, it stays words: nobody is called, nothing is commanded or hidden."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot import texts
from bot.agents.human import VERBS, parse_commands
from bot.journal import IncidentRecord
from bot.record import Keyring
from bot.telemetry.evidence import bounded
from bot.texts.issue import COMMANDS
from bot.texts.safe import TEXT_LIMIT, code, fence, plain
from tests.texts import hostile
from tests.texts import stories as s
from tests.texts.golden import GOLDEN

GITHUB_LIMIT = 65_536
OUR_NUMBERS = {"3", "4", "5", "8", "12"}
OUR_TAGS = {"details", "summary", "sub"}
OUR_COMMANDS = {f"/sre {verb}" for verb in VERBS}
NEVER = {"image", "blockquote_open", "hr", "code_block", "lheading_open"}
_MENTION = re.compile(r"@[A-Za-z0-9]")
_REFERENCE = re.compile(r"#([0-9]+)|\bGH-[0-9]")
_ADDRESS = re.compile(r"://|\bwww\.", re.IGNORECASE)
_TAG = re.compile(r"</?([A-Za-z]+)>")
_PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

words = st.lists(
    st.one_of(st.sampled_from(hostile.EVIL), st.lists(st.sampled_from(hostile.EVIL[:36]), min_size=2, max_size=3).map("".join)),
    min_size=1,
    max_size=9,
)


def flat(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from flat(token.children or [])


def faults(text: str) -> Iterator[str]:
    """What GitHub, or we, would make of the text that we did not mean."""
    if len(text) > TEXT_LIMIT:
        yield f"{len(text)} characters"
    if parse_commands(text):
        yield "a command"
    if "<!--" in text:
        yield "a comment"
    if bad := {c for c in set(text) if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co") and c not in "\n\u200b"}:
        yield f"invisible {bad!r}"
    for token in flat(_PARSER.parse(text)):
        yield from _of(token)


def _of(token: Token) -> Iterator[str]:
    if token.type in NEVER:
        yield token.type
    if token.type in ("html_block", "html_inline"):
        rest = _TAG.sub(lambda m: "" if m[1] in OUR_TAGS else m[0], token.content)
        if token.type == "html_inline" and rest:
            yield f"HTML {token.content!r}"
        if "<" in rest:
            yield f"HTML {rest!r}"
        yield from _active(rest)
    if token.type == "link_open" and not str(token.attrs["href"]).startswith("https://github.com/acme/shop/"):
        yield f"a link to {token.attrs['href']}"
    if token.type == "fence":
        if token.info not in ("text", "mermaid"):
            yield f"a fence {token.info!r} that is not ours"
        if "/sre" in token.content.lower():
            yield "a command in a fence"
        yield from _active(token.content, in_code=True)
    if token.type == "text":
        yield from _active(token.content)
    if token.type == "code_inline":
        if "/sre" in token.content.lower() and token.content not in OUR_COMMANDS:
            yield f"a command {token.content!r}"
        yield from _active(token.content, in_code=True)


def _active(text: str, *, in_code: bool = False) -> Iterator[str]:
    if _MENTION.search(text):
        yield f"a mention in {text[:80]!r}"
    if any(m[1] not in OUR_NUMBERS for m in _REFERENCE.finditer(text)):
        yield f"a reference in {text[:80]!r}"
    if not in_code and _ADDRESS.search(text):
        yield f"an address in {text[:80]!r}"


def without_author(text: str) -> str:
    """The one mention that we mean: a login, by GitHub's own spelling of logins."""
    return re.sub(r"(?m)^@[A-Za-z0-9-]{1,39}: this takes back", "this takes back", text)


@settings(max_examples=25)
@given(words)
def test_nothing_that_others_write_has_an_effect_in_any_text(chosen: list[str]) -> None:
    for name, text in hostile.bodies(chosen):
        assert not list(faults(without_author(text))), f"{name}: {list(faults(without_author(text)))}"


@pytest.mark.parametrize("evil", hostile.EVIL, ids=lambda evil: repr(evil[:20]))
def test_a_single_evil_word_everywhere_has_no_effect(evil: str) -> None:
    for name, text in hostile.bodies([evil]):
        assert not list(faults(without_author(text))), f"{name}: {list(faults(without_author(text)))}"


@settings(max_examples=80)
@given(words)
def test_titles_are_one_line_without_references_and_without_words_that_switch_machines_off(chosen: list[str]) -> None:
    for name, title in hostile.titles(chosen):
        assert "\n" not in title and "[" not in title and len(title) <= 256, (name, title)
        assert not list(_active(title)), (name, title)
        assert title.isprintable() or "\u200b" in title
        if name in ("revert", "bound", "undo", "free summary"):
            assert len(title) <= 72


@settings(max_examples=40)
@given(words, st.integers(1, 12))
def test_an_issue_with_its_sealed_record_always_fits(chosen: list[str], size: int) -> None:
    w = hostile.Words([word.encode("utf-8", "replace").decode() for word in chosen])
    found = bounded(hostile.evidence(w, size))
    incident = s.bad_release().incident
    body = texts.issue_body(incident.signal, found, s.POLICIES, s.LINKS)
    sealed = Keyring(b"k", "acme/shop").seal(IncidentRecord("0123456789ab", incident.signal, found), None)
    assert len(body) + len(sealed) + 3 <= GITHUB_LIMIT


def test_evidence_that_does_not_fit_is_left_out_and_said_so() -> None:
    text = texts.issue_body(s.bad_release().incident.signal, hostile.evidence(hostile.Words(["@#" * 500]), 40), s.POLICIES, s.LINKS)
    assert "too long to be shown" in text and text.count("<details>") == text.count("</details>") == 2
    assert text.rstrip().endswith("</sub>") and not list(faults(text))


@pytest.mark.parametrize("name", GOLDEN)
def test_what_our_own_texts_say_about_commands_is_no_command(name: str) -> None:
    assert parse_commands(GOLDEN[name]()) == ()


def test_the_table_of_commands_names_every_command_that_there_is() -> None:
    assert set(re.findall(r"`(/sre [a-z]+)`", COMMANDS)) >= OUR_COMMANDS
    named = {command for make in GOLDEN.values() for command in re.findall(r"/sre [a-z]+", make())}
    assert named <= OUR_COMMANDS


def test_the_oracle_sees_what_is_not_made_harmless() -> None:
    for evil in ("@octocat", "fixes #1", "<img src=x>", "<!-- x -->", "/sre approve", "> quote", "GH-1", "&commat;me"):
        assert list(faults(evil)), evil
    for evil in ("```\n/sre approve\n```", "`@octocat`", "https://evil.example"):
        assert list(faults(evil)), evil


@settings(max_examples=60)
@given(words)
def test_a_fence_is_closed_by_us_alone(chosen: list[str]) -> None:
    assert [token.type for token in _PARSER.parse(fence("\n".join(chosen)))] == ["fence"]


def test_words_stay_readable_when_they_are_made_harmless() -> None:
    assert plain("app/pricing/rates.py:loyalty_factor failed (twice).") == "app/pricing/rates.py:loyalty_factor failed (twice)."
    assert code("POST /quotes") == "`POST /quotes`" and code("a`b") == "``a`b``"
    assert fence("x\n```\ny").startswith("````text\n")
