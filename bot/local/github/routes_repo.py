"""REST routes of accounts, the repository itself and its collaborators."""

from __future__ import annotations

from bot.local.github.access import NOT_BY_INTEGRATION
from bot.local.github.app import Operation, operation
from bot.local.github.rest import ApiError, Call, Reply, not_found
from bot.local.github.shapes import full_user_json, private_user_json, repository_json, user_json


def get_me(call: Call) -> Reply:
    """An App's token and a job's token are nobody here, as on GitHub."""
    if call.actor.user is None:
        raise ApiError(401, "Requires authentication")
    if call.actor.is_app:
        raise ApiError(403, NOT_BY_INTEGRATION)
    return Reply(private_user_json(call.hub, call.actor.user))


def get_user(call: Call) -> Reply:
    user = call.hub.user(call.params["login"])
    if call.actor.user is None:
        raise ApiError(401, "Requires authentication")
    if user is None:
        raise not_found()
    return Reply(full_user_json(call.hub, user))


def get_repository(call: Call) -> Reply:
    actor = call.actor
    permissions = actor.permissions or {}
    of_job = {"write": "write", "read": "read"}.get(permissions.get("contents", ""), "none")
    held = of_job if actor.is_job else actor.user.permission if actor.user else "none"
    return Reply(repository_json(call.hub, held))


def get_permission(call: Call) -> Reply:
    user = call.hub.user(call.params["login"])
    if user is None:
        raise not_found()
    held = {"admin": 3, "write": 2, "read": 1}.get(user.permission, 0)
    rights = {"admin": held >= 3, "maintain": held >= 3, "push": held >= 2, "triage": held >= 2, "pull": held >= 1}
    account = {**user_json(call.hub, user), "permissions": rights, "role_name": user.permission}
    return Reply({"permission": user.permission, "role_name": user.permission, "user": account})


def is_collaborator(call: Call) -> Reply:
    user = call.hub.user(call.params["login"])
    if user is None or user.permission == "none":
        raise not_found()
    return Reply(None, 204)


OPERATIONS: tuple[Operation, ...] = (
    operation("GET", "!/user", get_me, "anyone"),
    operation("GET", "!/users/{login}", get_user, "anyone"),
    operation("GET", "", get_repository, "read", "metadata"),
    operation("GET", "/collaborators/{login}/permission", get_permission, "read", "metadata"),
    operation("GET", "/collaborators/{login}", is_collaborator, "read", "metadata"),
)
