"""Structured fingerprints: what kind of cause this is (for CAG), and which incident (service, operation, kind).

A signature is parametric. It keeps roles, mechanism, error type and code location as file and function; it leaves out the particular
dependency, commit, ids, times, line numbers and figures, so that the same kind of cause has the same signature when it comes back.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Literal

Mechanism = Literal["dependency-hangs", "dependency-fails", "change-breaks", "change-slows"]

VERSION = "v1"
PART_LENGTH = 60


def signature(mechanism: Mechanism, service: str, operation: str, *roles: str) -> str:
    """`v1/<mechanism>/<service>/<operation>/<role>…~<12 hex>`: readable, and exact by the hash of the unshortened parts.

    `service` and `operation` are those whose objective broke; `roles` are the caller and its operation for a dependency, the blamed
    service, error type and `file:function` for a change.
    """
    parts = [mechanism, service, operation, *roles]
    return f"{VERSION}/{'/'.join(_readable(part) for part in parts)}~{_hash(parts)}"


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


def _hash(parts: list[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
