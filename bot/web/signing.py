"""HMAC-SHA256 signatures: GitHub's on webhooks, ours on the thoughts that jobs post; and the memory that makes a replay visible."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Mapping

from bot.errors import Refused

TIMESTAMP_HEADER = "X-SRE-Timestamp"
NONCE_HEADER = "X-SRE-Nonce"
SIGNATURE_HEADER = "X-SRE-Signature"
MAX_SKEW_S = 300.0
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")


def sign(key: str, body: bytes) -> str:
    """`sha256=<hex>` over the raw body, as GitHub's X-Hub-Signature-256."""
    return "sha256=" + hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def verify(key: str, body: bytes, signature: str | None) -> bool:
    """Whether `signature` is `sign(key, body)`, compared in constant time. An empty key verifies nothing."""
    if not key or not signature:
        return False
    return hmac.compare_digest(sign(key, body).encode(), signature.encode("utf-8", "surrogateescape"))


def sign_post(key: str, body: bytes, *, now_s: float, nonce: str) -> dict[str, str]:
    """The headers of a job's post: time and nonce are signed together with the body."""
    timestamp = str(int(now_s))
    return {TIMESTAMP_HEADER: timestamp, NONCE_HEADER: nonce, SIGNATURE_HEADER: sign(key, _signed(timestamp, nonce, body))}


def verify_post(key: str, body: bytes, headers: Mapping[str, str], *, now_s: float) -> str:
    """The nonce of a post that is ours and at most MAX_SKEW_S old. Raises Refused that says why not. The caller refuses replays."""
    timestamp, nonce = headers.get(TIMESTAMP_HEADER, ""), headers.get(NONCE_HEADER, "")
    if not _TIMESTAMP.fullmatch(timestamp) or not _NONCE.fullmatch(nonce):
        raise Refused(f"{TIMESTAMP_HEADER} or {NONCE_HEADER} is missing or malformed")
    if not verify(key, _signed(timestamp, nonce, body), headers.get(SIGNATURE_HEADER)):
        raise Refused(f"{SIGNATURE_HEADER} is missing or wrong")
    if abs(now_s - int(timestamp)) > MAX_SKEW_S:
        raise Refused(f"{TIMESTAMP_HEADER} is more than {MAX_SKEW_S:.0f} s away from now")
    return nonce


def _signed(timestamp: str, nonce: str, body: bytes) -> bytes:
    return f"{timestamp}.{nonce}.".encode() + body


class SeenIds:
    """Remembers the last `limit` ids. Add only ids that came with a good signature, or strangers could flush it."""

    def __init__(self, limit: int = 20_000) -> None:
        self._limit = limit
        self._ids: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, item: str) -> bool:
        return item in self._ids

    def add(self, item: str) -> None:
        self._ids[item] = None
        while len(self._ids) > self._limit:
            self._ids.popitem(last=False)
