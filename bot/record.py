"""What the bot writes into GitHub so that it can be read back: an HTML comment, invisible to people, sealed with a key.

A record is `<!-- sre-space 1 KIND PAYLOAD MAC -->`: base64 of deflated JSON, and an HMAC-SHA256 over repository, place, kind and payload.
The place (the number of an issue or pull request; "incident" for an issue's body, whose number is not yet known) keeps a record
from being copied elsewhere. Somebody without the key cannot make one; a text that holds a valid one is ours and is never read as a command.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
import zlib
from dataclasses import dataclass, field
from hashlib import sha256

from bot.codec import from_json, to_json
from bot.errors import Refused
from bot.journal import (
    AttemptRecord,
    CommandRecord,
    DiagnosisRecord,
    EscalationRecord,
    IncidentRecord,
    NoticeRecord,
    OutcomeRecord,
    PostMortemRecord,
    Record,
    VerdictRecord,
)

KINDS: dict[str, type[Record]] = {
    "incident": IncidentRecord,
    "attempt": AttemptRecord,
    "diagnosis": DiagnosisRecord,
    "verdict": VerdictRecord,
    "outcome": OutcomeRecord,
    "command": CommandRecord,
    "escalation": EscalationRecord,
    "notice": NoticeRecord,
    "postmortem": PostMortemRecord,
}
_NAMES = {kind: name for name, kind in KINDS.items()}
_MARKER = re.compile(r"<!-- sre-space 1 ([a-z]{1,16}) ([A-Za-z0-9+/=]{1,60000}) ([0-9a-f]{32}) -->")
_INFLATED_LIMIT = 1 << 20
KEPT = 32  # records that were read last: those of the open incidents


@dataclass(frozen=True)
class Keyring:
    """Seals and reads records of one repository. `key` never leaves the process."""

    key: bytes
    repository: str
    _known: dict[str, Record] = field(default_factory=dict, init=False, repr=False, compare=False)  # by MAC: every look reads the same ones

    def seal(self, record: Record, number: int | None) -> str:
        """The marker to append to a text under `number`; None: in the body of an incident's issue."""
        name = _NAMES[type(record)]
        raw = json.dumps(to_json(record), separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")
        payload = base64.b64encode(zlib.compress(raw, 9)).decode()
        return f"<!-- sre-space 1 {name} {payload} {self._mac(name, payload, number)} -->"

    def read(self, text: str, number: int | None) -> tuple[Record, ...]:
        """The valid records in a text under `number`, in order. What is forged, copied or damaged is not there."""
        found = []
        for name, payload, mac in _MARKER.findall(text):
            if not hmac.compare_digest(self._mac(name, payload, number), mac):
                continue
            try:
                record = self._known.get(mac) or from_json(KINDS[name], json.loads(_inflate(payload)))
            except (KeyError, ValueError, Refused, zlib.error):
                continue  # ours once, but of a version that we no longer read: as if it were not there
            self._keep(mac, record)
            found.append(record)
        return tuple(found)

    def is_ours(self, text: str, number: int) -> bool:
        """Whether a text carries a valid marker of ours for this place, of whatever version."""
        return any(
            hmac.compare_digest(self._mac(name, payload, place), mac)
            for name, payload, mac in _MARKER.findall(text)
            for place in (number, None)
        )

    def _keep(self, mac: str, record: Record) -> None:
        self._known[mac] = record
        if len(self._known) > KEPT:
            del self._known[next(iter(self._known))]

    def _mac(self, name: str, payload: str, number: int | None) -> str:
        place = "incident" if number is None else str(number)
        message = "\n".join((self.repository, place, name, payload)).encode()
        return hmac.new(self.key, message, sha256).hexdigest()[:32]


def _inflate(payload: str) -> bytes:
    inflater = zlib.decompressobj()
    raw = inflater.decompress(base64.b64decode(payload, validate=True), _INFLATED_LIMIT)
    if not inflater.eof:
        raise binascii.Error("larger than a record may be")
    return raw


def identity(record: Record) -> tuple[object, ...]:
    """What makes two records the same one: written twice, the first one counts."""
    match record:
        case IncidentRecord():
            return ("incident", record.fingerprint)
        case AttemptRecord():
            return ("attempt", record.attempt)
        case DiagnosisRecord():
            return ("diagnosis", record.attempt)
        case VerdictRecord():
            return ("verdict", record.pull, record.verdict.head_sha, record.verdict.decision, record.run_id, record.run_attempt)
        case OutcomeRecord():
            return ("outcome", record.attempt, record.undo)
        case CommandRecord():
            return ("command", record.comment_id, record.verb)
        case EscalationRecord():
            return ("escalation", record.attempt, record.call)
        case NoticeRecord():
            return ("notice", record.topic, record.pull)
        case PostMortemRecord():
            return ("postmortem", record.post_mortem.issue)
