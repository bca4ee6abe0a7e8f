"""Secrets and personal data do not leave the process; ordinary words do."""

from __future__ import annotations

import random
import string
import time
from collections.abc import Callable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.redact import REDACTED_CHARS, commit_id, is_account, luhn, redact

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer abcdef123456", "abcdef123456"),
        ("sent Basic dXNlcjpwYXNz to it", "dXNlcjpwYXNz"),
        ("GET /x?api_key=topsecretvalue&n=1", "topsecretvalue"),
        ('{"password": "hunter 2 and more"}', "hunter 2 and more"),
        ("client_secret = 'quiet'", "quiet"),
        (f"bad token {JWT}", JWT.split(".")[1]),
        ("key AKIAIOSFODNN7EXAMPLE is old", "AKIAIOSFODNN7EXAMPLE"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "ghp_abc"),
        ("github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz", "github_pat_11"),
        ("Incorrect API key provided: sk-proj-abcdefghijklmnopqrst", "abcdefghijklmnopqrst"),
        ("postgres://shop:pa55word@db:5432/shop", "pa55word"),
        ("no account for jane.doe+x@mail.example.com", "jane.doe"),
        ("card 4111 1111 1111 1111 declined", "4111"),
        ("card 5500-0000-0000-0004 declined", "5500"),
        ("customer 123456789 unknown", "123456789"),
        ("https://x-access-token:ghs_short@github.com/acme/shop", "ghs_short"),
        ("cloning https://0123456789abcdef0123@git.example/x", "0123456789abcdef0123"),
        ("amqp://shop:pass/wo:rd@mq:5672/", "wo:rd"),
        ("Server=db;User=shop;Password=hunter2;Pooling=true", "hunter2"),
        ("GET /file?X-Amz-Signature=f00dfeed&X-Amz-Expires=60", "f00dfeed"),
        ("GET /blob?sv=2024&sig=abc%2Bdef", "abc%2Bdef"),
        ("posted to https://hooks.slack.com/services/T0001/B0001/XXXXXXXX", "XXXXXXXX"),
        ("xoxe-1-abcdefghijkl", "abcdefghijkl"),
        ("charge with sk_live_abcdefghij1234", "abcdefghij1234"),
        ("to DE89 3704 0044 0532 0130 00 today", "0532"),
        ("to GB82WEST12345698765432", "WEST"),
        ("call +49 151 23456789 back", "23456789"),
        ("call (555) 123-4567 back", "123-4567"),
        ("the key began with ghp_abcdefgh", "abcdefgh"),
        ("cut in the middle of AKIAIOSFOD", "IOSFOD"),
        ("cut in the middle of eyJhbGciOiJIUzI1NiJ9", "hbGci"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "MIIEow"),
    ],
)
def test_what_is_secret_is_taken_out(text: str, secret: str) -> None:
    shown = redact(text)
    assert secret not in shown
    assert "[redacted]" in shown
    assert redact(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "KeyError: 'base_rate'",
        "POST /quotes/{id}",
        "no answer within 1.5 s from 10.12.0.7:8443",
        "src/shop/prices.py:price:1234",
        "order 12345678 is not there",
        "1234 5678 9012 3456 is no card",
        "took 12.345678901 s, 3 + 4 = 7, +5 %",
        "DE00 3704 0044 0532 is no account",
        "a turkey and a donkey",
        "see https://example.org/a:b and 2026-11-25T04:35:07+00:00",
        "v1.24.3-rc.1+build.7",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == text


def test_no_text_makes_it_slow() -> None:
    rng = random.Random(3)
    started = time.process_time()
    for alphabet in ("a", "eyJ.", "key=", "1 -", "@.a", ":/@", "-----BEGIN PRIVATE KEY-----", "Bearer "):
        redact("".join(rng.choice(alphabet) for _ in range(8_000)))
        redact(alphabet * (8_000 // len(alphabet)))
    assert time.process_time() - started < 2.0


def test_a_commit_id_is_never_taken_for_a_card_or_an_account() -> None:
    looks_like_a_card = "4111111111111111" + "0" * 20 + "abcd"
    assert commit_id(looks_like_a_card) == looks_like_a_card
    assert commit_id("release of ann@example.org") == "release of [redacted]"


ID_CHARS = "0123456789abcdef"
ids = st.one_of(
    *(st.text(ID_CHARS, min_size=n, max_size=n) for n in (32, 40, 64)),
    st.uuids().map(str),
    st.text(ID_CHARS, min_size=16, max_size=16).filter(lambda text: not text.isdigit()),
    st.tuples(st.text(ID_CHARS, min_size=32, max_size=32), st.text(ID_CHARS, min_size=16, max_size=16)).map("00-{0[0]}-{0[1]}-01".format),
)
around = st.sampled_from(["", " ", "(", ")", ", ", ": ", "\n", "/", "'", " failed, "])


@settings(max_examples=300)
@given(ids, around, around)
def test_ids_that_people_look_up_stay_whatever_stands_around_them(found: str, before: str, after: str) -> None:
    assert found in redact(f"{before}{found}{after}")


@settings(max_examples=200)
@given(st.text(string.digits, min_size=12, max_size=18), st.sampled_from(["", " ", "-"]), around, around)
def test_a_number_with_a_cards_check_digit_goes_however_it_is_grouped(digits: str, gap: str, before: str, after: str) -> None:
    check = next(c for c in string.digits if luhn([int(d) for d in digits + c]))
    card = gap.join((digits + check)[i : i + 4] for i in range(0, len(digits) + 1, 4))
    assert card not in redact(f"{before}{card}{after}")


@settings(max_examples=200)
@given(st.text(string.ascii_uppercase, min_size=2, max_size=2), st.text(string.digits + "AZ", min_size=11, max_size=26), st.booleans())
def test_an_account_number_with_the_right_check_digits_goes(country: str, rest: str, spaced: bool) -> None:
    number = next(text for n in range(2, 99) if is_account(text := f"{country}{n:02d}{rest}"))
    shown = " ".join(number[i : i + 4] for i in range(0, len(number), 4)) if spaced else number
    assert shown not in redact(f"pay to {shown}, please")


SECRETS: list[Callable[[str], str]] = [
    lambda word: f"ghp_{word}",
    lambda word: f"github_pat_{word}",
    lambda word: f"sk-proj-{word}",
    lambda word: f"xoxb-{word}",
    lambda word: f"glpat-{word}",
    lambda word: f"eyJ{word}.{word}.{word}",
    lambda word: f"Bearer {word}",
    lambda word: f"password={word}",
    lambda word: f'"api_key": "{word}"',
    lambda word: f"https://user:{word}@db.example:5432/x",
    lambda word: f"https://api.example/x?access_token={word}",
    lambda word: f"{word}@mail.example.org",
    lambda word: f"-----BEGIN EC PRIVATE KEY-----\n{word}",
]


@settings(max_examples=400)
@given(st.sampled_from(SECRETS), st.text(string.ascii_letters + string.digits, min_size=24, max_size=60), st.text(max_size=80), st.data())
def test_a_secret_goes_wherever_it_stands_and_wherever_the_text_was_cut(
    make: Callable[[str], str], word: str, text: str, data: st.DataObject
) -> None:
    assume(word[:20] not in text)
    whole = f"{text}\n{make(word)}"
    cut_at = data.draw(st.integers(len(whole) - len(word) // 4, len(whole)))
    assert word[:20] not in redact(f"{make(word)} {text}")
    assert word[:20] not in redact(whole)
    if "@" not in make(word):  # an e-mail whose domain was cut off is a name like any other
        assert word[:20] not in redact(whole[:cut_at])


@settings(max_examples=300)
@given(st.text(alphabet=st.sampled_from("aZ0 9-+@.:/=_\n\"'&?()keyJsrtpoAKIB"), max_size=300))
def test_redacting_twice_changes_nothing(text: str) -> None:
    assert redact(redact(text)) == redact(text)


def test_a_line_of_a_mebibyte_is_cut_between_words_and_takes_no_time() -> None:
    started = time.process_time()
    for piece in ("a", "a.", "key=", "eyJ.", "1 -", "0-", "_-", "@.a", "://a:", "-----BEGIN PRIVATE KEY-----", "AB12 ", "+1 (", "session."):
        shown = redact(piece * (2**20 // len(piece)))
        assert len(shown) <= 2 * REDACTED_CHARS
    assert time.process_time() - started < 3.0
    shown = redact("x " * (REDACTED_CHARS // 2 - 4) + "ghp_" + "s" * 40)
    assert "ghp_" not in shown
    assert shown.endswith(" …")
