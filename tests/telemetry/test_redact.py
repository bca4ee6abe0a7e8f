"""Secrets and personal data do not leave the process; ordinary words do."""

from __future__ import annotations

import random
import time

import pytest

from bot.telemetry.redact import commit_id, redact

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
