"""Structured fingerprints: what kind of cause this is (for CAG), and which incident (service, operation, kind).

A signature is parametric. It keeps what failed where, the kinds of errors, how far latency and errors moved (in classes), the place in the
call graph and whether a deploy preceded it; it leaves out the particular dependency, commit, ids, addresses, times, line numbers and
counts, so that the same kind of cause has the same signature when it comes back.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Literal

Mechanism = Literal["dependency-hangs", "dependency-fails", "change-breaks", "change-slows"]
Place = Literal["entry", "middle", "leaf", "alone"]

VERSION = "v2"
PART_LENGTH = 60
MAX_PARTS = 8  # roles or kinds of errors in the readable form
SLOWER = ((16.0, "stalled"), (4.0, "much-slower"), (1.5, "slower"))  # now / before, from the worst class down
FAILING = ((0.5, "most-fail"), (0.1, "many-fail"), (0.01, "some-fail"))  # more of the requests fail than before

_ID = re.compile(  # UUIDs and hexadecimal ids, long tokens with digits, whole numbers; not the 2 of `v2` or `travel2`
    r"(?<![A-Za-z0-9_])(?:0x)?(?:(?=[0-9a-fA-F-]*[0-9])[0-9a-fA-F][0-9a-fA-F-]{5,}|[0-9]+)(?![A-Za-z0-9_])"
    r"|(?<![A-Za-z0-9_])(?=\w*[0-9]\w*[0-9])[A-Za-z0-9_]{20,}(?![A-Za-z0-9_])"
    r"|[0-9]{3,}",
    re.ASCII,
)
_ADDRESS = re.compile(r"(?<![\w.])(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9a-fA-F:.]+\])(?::[0-9]+)?(?![\w.])")


@dataclass(frozen=True)
class Signature:
    """What failed where, and what it looked like.

    `service` and `operation` are those whose objective broke; `roles` are the caller and its operation for a dependency, the blamed
    service, error type and `file:function` for a change; `place` is that of the blamed service among the calls that were seen.
    """

    mechanism: str
    service: str
    operation: str
    roles: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()  # kinds, sorted
    slower: str = "as-fast"
    failing: str = "as-sound"
    place: str = "alone"
    deployed: bool = False

    def __str__(self) -> str:
        """`v2/<mechanism>/<service>/…~<12 hex>`: readable, and exact by the hash of the unshortened parts."""
        deployed = "deployed" if self.deployed else "no-deploy"
        single = (self.mechanism, self.service, shape(self.operation))
        many = tuple(tuple(shape(one) for one in part) for part in (self.roles, self.errors))
        classes = (self.slower, self.failing, self.place, deployed)
        shown = [_readable(part) for part in single] + ["+".join(map(_readable, part[:MAX_PARTS])) or "-" for part in many]
        return f"{VERSION}/{'/'.join((*shown, *classes))}~{_hash([*single, *many, *classes])}"


def parse(text: str) -> Signature | None:
    """The signature that a text shows, its parts as shortened there; None for another version or no signature at all."""
    parts = text.partition("~")[0].split("/")
    if len(parts) != 10 or parts[0] != VERSION or parts[9] not in ("deployed", "no-deploy"):
        return None
    roles, errors = (tuple(one for one in part.split("+") if one != "-") for part in parts[4:6])
    return Signature(parts[1], parts[2], parts[3], roles, errors, parts[6], parts[7], parts[8], parts[9] == "deployed")


def shape(name: str) -> str:
    """A name without what differs from case to case: addresses and ids become `{}`; `GET /orders/17` and `GET /orders/4` are one shape."""
    return _ID.sub("{}", _ADDRESS.sub("{}", name))


def class_of_ratio(ratio: float) -> str:
    """How many times as long as before, as a class."""
    return next((name for least, name in SLOWER if ratio >= least), "as-fast")


def class_of_errors(more: float) -> str:
    """How much larger a share of the requests fails than before, as a class."""
    return next((name for least, name in FAILING if more >= least), "as-sound")


def fingerprint(service: str, operation: str, kind: str) -> str:
    """12 hex digits: the identity of an incident, the same for as long as the same objective breaks in the same way."""
    return _hash([service, operation, kind])


def code_location(frame: str) -> str:
    """`path:function` of a frame `path:function:line`; the line moves with every edit and is left out."""
    path, function, _ = split_frame(frame)
    return f"{path}:{function}" if function else path


def split_frame(frame: str) -> tuple[str, str, int]:
    """Path, function and line of a frame `path:function:line`; function "" and line 0 when the frame does not say."""
    found = re.fullmatch(r"(?P<path>.+?):(?P<function>[^:]+):(?P<line>\d+)", frame)
    if found is None:
        return frame, "", 0
    return found["path"], found["function"], int(found["line"])


def _readable(part: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.:]+", "-", part).strip("-")[:PART_LENGTH] or "-"


def _hash(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
