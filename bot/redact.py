"""Takes secrets and personal data out of text before anybody else sees it: tokens, passwords, keys, e-mails, cards, accounts, phones.

Shapes are those that the issuers publish (GitHub's, AWS's, Slack's and Stripe's token prefixes, RFC 7519 for JSON Web Tokens, RFC 7468
for PEM). Numbers go only when their check digits say what they are (cards by ISO/IEC 7812, accounts by ISO 13616), when they are phone
numbers as E.164 writes them, or when they are too long to be a count. Ids of traces, spans and commits stay: people have to look them up.
"""

from __future__ import annotations

import re
from typing import Final

REDACTED: Final = "[redacted]"
REDACTED_CHARS: Final = 32_768  # of a text: more is cut off first, as nobody shows more
_WORD_CHARS: Final = 500  # a text is cut between words, so that no half of a secret stays; a longer word than this is cut in two

# Every quantifier is bounded, so that no input makes them slow. The order matters: the longest shapes first. A shape that begins at the
# end of the text counts too (`\Z`): what we are given may have been cut.
_SHAPES: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?:[^-]|-(?!----)){0,4000}(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?",
        r"\beyJ[\w-]{5,2000}(?:\.[\w-]{5,4000}(?:\.[\w-]{0,2000})?|\.?[\w-]{0,4}\Z)",  # JSON Web Token
        r"\bgithub_pat_(?:\w{20,255}|\w{0,19}\Z)",
        r"\bgh[pousr]_(?:\w{20,255}|\w{0,19}\Z)",
        r"\b(?:AKIA|ASIA|AROA|AIDA)(?:[0-9A-Z]{16}\b|[0-9A-Z]{4,15}\Z)",
        r"\bsk-(?:[\w-]{16,255}|[\w-]{4,15}\Z)",
        r"\b[rs]k_(?:live|test)_\w{10,255}",
        r"\bwhsec_\w{16,255}",
        r"\bx(?:ox[abeoprs]|app)-[\w-]{10,255}",
        r"\bhooks\.slack\.com/(?:services|workflows|triggers)/[\w/-]{8,255}",
        r"\bAIza[\w-]{30,60}",
        r"\bya29\.[\w.-]{20,500}",
        r"\bSG\.[\w-]{16,64}\.[\w-]{16,64}",
        r"\b(?:rnd|glpat|npm|pypi|hf|dop_v1|shpat|sntrys)[_-][\w-]{16,255}",
    )
)
_CREDENTIALS: Final = re.compile(r"\b(Bearer|Basic|Digest|Token)\s{1,4}[\w.~+/=-]{6,4000}", re.IGNORECASE)
_USERINFO: Final = re.compile(r"(://[^\s/:@]{0,200}):[^\s@]{1,200}@")
_TOKEN_USER: Final = re.compile(r"(://)[^\s/:@]{16,200}@")  # https://TOKEN@host
_ASSIGNMENT: Final = re.compile(
    r"""(?P<name>(?:key|secret|password|passwd|passphrase|pwd|token|credential|authorization|cookie|session|signature|\bsig)"""
    r"""s?["']?\s{0,4}[=:]\s{0,4})"""
    r"""(?P<value>"[^"]{1,500}"?|'[^']{1,500}'?|[^\s,;&"'{}\[\]()]{1,500})""",
    re.IGNORECASE,
)
_EMAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_ACCOUNT: Final = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[0-9A-Z]{4}){2,7}(?: ?[0-9A-Z]{1,3})?\b")
_PHONE: Final = re.compile(r"(?<![\w+])\+[1-9]\d{0,2}(?:[ .-]?\(\d{1,4}\)|[ .-]?\d){6,14}(?!\w)|(?<!\w)\(\d{3}\) ?\d{3}-\d{4}(?!\w)")
_NUMBERS: Final = re.compile(
    r"(?P<id>(?<![0-9A-Za-z])(?:"
    r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"  # traceparent (W3C Trace Context)
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # UUID
    r"|[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32}"  # commits and trace ids
    r"|(?=[0-9]{0,15}[a-f])(?:[0-9a-f]{16}|[0-9a-f]{12})"  # span ids, short commits; without a letter they may be cards
    r")(?![0-9A-Za-z]))"
    r"|(?P<card>(?<!\d)\d(?:[ -]?\d){12,18}(?!\d))"
    r"|(?P<long>(?<![\d.])\d{9,}(?![\d.]))",
    re.IGNORECASE,
)
_LONG: Final = re.compile(r"(?<![\d.])\d{9,}(?![\d.])")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def redact(text: str) -> str:
    """`text` with what looks secret or personal replaced by `[redacted]`, cut at REDACTED_CHARS. Redacting twice changes nothing."""
    text = _cut(text)
    for shape in _SHAPES:
        text = shape.sub(REDACTED, text)
    text = _CREDENTIALS.sub(rf"\1 {REDACTED}", text)
    if "://" in text:
        text = _USERINFO.sub(rf"\1:{REDACTED}@", text)
        text = _TOKEN_USER.sub(rf"\1{REDACTED}@", text)
    text = _ASSIGNMENT.sub(rf"\g<name>{REDACTED}", text)
    if "@" in text:
        text = _EMAIL.sub(REDACTED, text)
    text = _ACCOUNT.sub(_account, text)
    text = _PHONE.sub(REDACTED, text)
    return _NUMBERS.sub(_number, text)


def commit_id(text: str) -> str:
    """A git commit id as it is (its runs of digits are neither a card nor an account number); anything else redacted."""
    return text if _COMMIT.fullmatch(text) else redact(text)


def _cut(text: str) -> str:
    if len(text) <= REDACTED_CHARS:
        return text
    text = text[:REDACTED_CHARS]
    words = text.rsplit(None, 1)
    whole = words[0] if len(words) == 2 and len(words[1]) <= _WORD_CHARS else text
    return f"{whole} …"


def _account(match: re.Match[str]) -> str:
    return REDACTED if is_account(match[0].replace(" ", "")) else match[0]


def is_account(text: str) -> bool:
    """The check digits of an International Bank Account Number (ISO 13616): country and check go last, letters count 10 to 35, mod 97."""
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def _number(match: re.Match[str]) -> str:
    if match["id"]:
        return match[0]
    if match["card"] and not luhn([int(c) for c in match[0] if c.isdigit()]):
        return _LONG.sub(REDACTED, match[0])
    return REDACTED


def luhn(digits: list[int]) -> bool:
    """The check digit of payment cards (ISO/IEC 7812-1, annex B)."""
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(digits[-1::-2])) % 10 == 0
