"""Takes secrets and personal data out of text before anybody else sees it: tokens, passwords, key shapes, e-mails, card numbers."""

from __future__ import annotations

import re
from typing import Final

REDACTED: Final = "[redacted]"

# Every quantifier is bounded, so that no input makes them slow. The order matters: the longest shapes first.
_SHAPES: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?s:.){0,4000}?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
        r"\beyJ[\w-]{5,2000}\.[\w-]{5,4000}(?:\.[\w-]{0,2000})?",  # JSON Web Token
        r"\bgithub_pat_\w{20,255}",
        r"\bgh[pousr]_\w{20,255}",
        r"\b(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}\b",
        r"\bsk-[\w-]{16,255}",
        r"\bxox[abprs]-[\w-]{10,255}",
        r"\bAIza[\w-]{30,60}",
        r"\b(?:rnd|glpat|npm|pypi)[_-][\w-]{16,255}",
    )
)
_CREDENTIALS: Final = re.compile(r"\b(Bearer|Basic|Digest|Token)\s{1,4}[\w.~+/=-]{6,4000}", re.IGNORECASE)
_USERINFO: Final = re.compile(r"(://[^\s/:@]{0,200}):[^\s/@]{1,200}@")
_ASSIGNMENT: Final = re.compile(
    r"""(?P<name>\b[\w.-]{0,40}(?:key|secret|password|passwd|pwd|token|credential|authorization|cookie|session)s?["']?\s{0,4}[=:]\s{0,4})"""
    r"""(?P<value>"[^"]{1,500}"?|'[^']{1,500}'?|[^\s,;&"'{}\[\]()]{1,500})""",
    re.IGNORECASE,
)
_EMAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_CARD: Final = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")
_DIGITS: Final = re.compile(r"(?<![\d.])\d{9,}(?![\d.])")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def redact(text: str) -> str:
    """`text` with what looks secret or personal replaced by `[redacted]`. Redacting twice changes nothing."""
    for shape in _SHAPES:
        text = shape.sub(REDACTED, text)
    text = _CREDENTIALS.sub(rf"\1 {REDACTED}", text)
    text = _USERINFO.sub(rf"\1:{REDACTED}@", text)
    text = _ASSIGNMENT.sub(rf"\g<name>{REDACTED}", text)
    text = _EMAIL.sub(REDACTED, text)
    text = _CARD.sub(_card, text)
    return _DIGITS.sub(REDACTED, text)


def commit_id(text: str) -> str:
    """A git commit id as it is (its runs of digits are neither a card nor an account number); anything else redacted."""
    return text if _COMMIT.fullmatch(text) else redact(text)


def _card(match: re.Match[str]) -> str:
    digits = [int(c) for c in match[0] if c.isdigit()]
    return REDACTED if luhn(digits) else match[0]


def luhn(digits: list[int]) -> bool:
    """The check digit of payment cards (ISO/IEC 7812-1, annex B)."""
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(digits[-1::-2])) % 10 == 0
