"""Who may do what: tokens to actors, and the rights that a route asks for.

A job's token has only the permissions that it was given (missing means none). An App's token has what its account may do.
A person's token has that person's rights, but no token of a person may create check runs.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bot.local.github.hub import Actor, Hub
from bot.local.github.rest import ApiError, not_found

SCOPES: Final = frozenset(
    {"contents", "issues", "pull-requests", "checks", "actions", "statuses", "metadata", "packages", "deployments", "id-token"}
    | {"security-events", "pages", "discussions", "repository-projects", "attestations", "models", "artifact-metadata"}
)
_LEVELS: Final = {"none": 0, "read": 1, "write": 2}
_RANKS: Final = {"none": 0, "read": 1, "write": 2, "admin": 3}
NOT_BY_INTEGRATION: Final = "Resource not accessible by integration"


@dataclass(frozen=True)
class Right:
    """`level`: read, participate (comment, open an issue: readers may), write, admin. `scopes`: any of them is enough."""

    scopes: tuple[str, ...]
    level: str


def actor_of(hub: Hub, authorization: str | None) -> Actor:
    """The token's actor; anonymous without a header. Raises 401 for a token that is unknown or revoked."""
    if not authorization:
        return Actor(None)
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() == "basic":
        value = _password(value)
    elif scheme.lower() not in ("token", "bearer"):
        raise ApiError(401, "Bad credentials")
    token = hub.store.tokens.get(value.strip())
    user = hub.user(token.login) if token else None
    if token is None or user is None:
        raise ApiError(401, "Bad credentials")
    return Actor(user, None if token.permissions is None else dict(token.permissions))


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def require(actor: Actor, right: Right) -> None:
    """Raises 404 for who may not even read (as GitHub does for private repositories), 403 for the rest."""
    if right.level == "anyone":
        return
    if actor.user is None:
        raise not_found()
    if actor.is_job:
        if not job_may(actor.permissions or {}, right):
            raise ApiError(403, NOT_BY_INTEGRATION)
        return
    rank = _RANKS[actor.user.permission]
    if rank == 0:
        raise not_found()
    if "checks" in right.scopes and right.level == "write" and not actor.is_app:
        raise ApiError(403, "You must authenticate via a GitHub App.")
    needed = {"read": 1, "participate": 1, "write": 2, "admin": 3}[right.level]
    if rank < needed:
        if actor.is_app:
            raise ApiError(403, NOT_BY_INTEGRATION)
        raise ApiError(
            403, "Must have admin rights to Repository." if needed == _RANKS["admin"] else "Must have push access to Repository."
        )


def job_may(permissions: Mapping[str, str], right: Right) -> bool:
    if right.level == "admin":
        return False
    if right.level == "read" and "metadata" in right.scopes:
        return True
    needed = 1 if right.level == "read" else 2
    return any(_LEVELS[permissions.get(scope, "none")] >= needed for scope in right.scopes)


def is_writer(actor: Actor) -> bool:
    """Whether the actor may edit what others wrote. A job's token was checked for its scope already."""
    return actor.is_job or (actor.user is not None and _RANKS[actor.user.permission] >= _RANKS["write"])


def checked_permissions(permissions: Mapping[str, str]) -> dict[str, str]:
    """Raises ValueError for a scope or level that GitHub does not have."""
    for scope, level in permissions.items():
        if scope not in SCOPES or level not in _LEVELS:
            raise ValueError(f"there is no permission «{scope}: {level}» for a job's token")
    return dict(permissions)
