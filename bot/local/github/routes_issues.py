"""REST routes of issues and labels."""

from __future__ import annotations

import re
from typing import Any

from bot.local.github.access import NOT_BY_INTEGRATION, Right, is_writer, job_may
from bot.local.github.app import Operation, operation
from bot.local.github.conversation import announce_issue, edit_issue, open_issue, set_labels, set_state
from bot.local.github.hub import parse_iso
from bot.local.github.nouns import Issue, Label
from bot.local.github.rest import ApiError, Call, Reply, invalid, limited, no_content, not_found, paged, string_list
from bot.local.github.shapes import issue_json, label_json, labels_json

_STATES = ("open", "closed", "all")
_REASONS = ("completed", "not_planned", "reopened", "duplicate")
_UNFILTERED = ("assignee", "milestone", "mentioned", "type")  # GitHub knows these filters, this server does not
_TITLE_LIMIT = 256


def issue_of(call: Call) -> Issue:
    issue = call.hub.store.issues.get(call.number("number"))
    if issue is None:
        raise not_found()
    return issue


def require_for(call: Call, issue: Issue, level: str) -> None:
    """A job's token needs `issues`, or for a pull request `pull-requests`: which one is known only here."""
    scopes = ("issues", "pull-requests") if issue.number in call.hub.store.pulls else ("issues",)
    if call.actor.is_job and not job_may(call.actor.permissions or {}, Right(scopes, level)):
        raise ApiError(403, NOT_BY_INTEGRATION)


def title_field(call: Call, resource: str, *, required: bool) -> str | None:
    title = call.text("title") if required else call.optional_text("title")
    if title is not None and not title.strip():
        raise invalid(resource, "title", "missing_field")
    if title is not None and len(title) > _TITLE_LIMIT:
        raise invalid(resource, "title", "custom", f"title is too long (maximum is {_TITLE_LIMIT} characters)")
    return title


def label_names(value: Any) -> list[str] | None:
    """Label names, given as strings or as objects with a name."""
    if isinstance(value, list):
        value = [item.get("name") if isinstance(item, dict) else item for item in value]
    return string_list(value, "labels")


def create_issue(call: Call) -> Reply:
    title = title_field(call, "Issue", required=True) or ""
    body = limited("Issue", "body", call.optional_text("body"))
    labels = label_names(call.fields().get("labels")) or []
    issue = open_issue(call.hub, call.actor, title, body, labels if is_writer(call.actor) else ())
    announce_issue(call.hub, call.actor, issue.number, "opened")
    for name in issue.labels:
        label = call.hub.store.label_named(name)
        if label:
            announce_issue(call.hub, call.actor, issue.number, "labeled", {"label": label_json(call.hub, label)})
    return Reply(issue_json(call.hub, issue), 201)


def get_issue(call: Call) -> Reply:
    issue = issue_of(call)
    require_for(call, issue, "read")
    return Reply(issue_json(call.hub, issue))


def update_issue(call: Call) -> Reply:
    issue = issue_of(call)
    require_for(call, issue, "write")
    writer = is_writer(call.actor)
    if not writer and issue.author != call.actor.login:
        raise ApiError(403, "Must have push access or be the author of the issue.")
    title = title_field(call, "Issue", required=False)
    body = limited("Issue", "body", call.optional_text("body"))
    state, reason = call.optional_text("state"), call.optional_text("state_reason")
    labels = label_names(call.fields().get("labels"))
    if state not in (None, "open", "closed"):
        raise invalid("Issue", "state", "invalid")
    if reason is not None and reason not in _REASONS:
        raise invalid("Issue", "state_reason", "invalid")
    edit_issue(call.hub, call.actor, issue.number, title=title, body=body, body_given="body" in call.fields())
    if labels is not None and writer:
        set_labels(call.hub, call.actor, issue.number, labels)
    if state is not None:
        set_state(call.hub, call.actor, issue.number, state, reason)
    return Reply(issue_json(call.hub, call.hub.store.issues[issue.number]))


def list_issues(call: Call) -> Reply:
    """Issues and pull requests, as on GitHub."""
    unknown = [name for name in _UNFILTERED if name in call.query]
    if unknown:
        raise ApiError(501, f"The embedded GitHub does not filter issues by {unknown[0]}.")
    state = call.choice("state", _STATES, "open")
    wanted = [name.strip().lower() for name in call.query.get("labels", "").split(",") if name.strip()]
    creator = call.query.get("creator", "").lower()
    since = parse_iso(call.query["since"]) if "since" in call.query else 0.0
    if since is None:
        raise invalid("Issue", "since", "invalid")
    found = [
        issue
        for issue in call.hub.store.issues.values()
        if state in ("all", issue.state)
        and set(wanted) <= {name.lower() for name in issue.labels}
        and creator in ("", issue.author.lower())
        and int(issue.updated_at) >= int(since)
    ]
    return paged(call, sort_issues(call, found), lambda issue: issue_json(call.hub, issue))


def sort_issues(call: Call, issues: list[Issue]) -> list[Issue]:
    order = call.choice("sort", ("created", "updated", "comments"), "created")
    newest_first = call.choice("direction", ("asc", "desc"), "desc") == "desc"

    def key(issue: Issue) -> tuple[float, int]:
        if order == "comments":
            return len(call.hub.store.comments_of(issue.number)), issue.number
        return issue.updated_at if order == "updated" else issue.created_at, issue.number

    return sorted(issues, key=key, reverse=newest_first)


def list_labels(call: Call) -> Reply:
    labels = sorted(call.hub.store.labels.values(), key=lambda label: label.name.lower())
    return paged(call, labels, lambda label: label_json(call.hub, label))


def create_label(call: Call) -> Reply:
    name, color = call.text("name"), call.text("color", "ededed").lstrip("#")
    if not name.strip() or len(name) > 50:
        raise invalid("Label", "name", "invalid")
    if not re.fullmatch(r"[0-9a-fA-F]{6}", color):
        raise invalid("Label", "color", "invalid")
    if call.hub.store.label_named(name):
        raise invalid("Label", "name", "already_exists")
    label = Label(call.hub.store.next_id(), name, color.lower(), call.optional_text("description"))
    call.hub.store.labels[name.lower()] = label
    return Reply(label_json(call.hub, label), 201)


def get_label(call: Call) -> Reply:
    label = call.hub.store.label_named(call.params["name"])
    if label is None:
        raise not_found()
    return Reply(label_json(call.hub, label))


def issue_labels(call: Call) -> Reply:
    issue = issue_of(call)
    require_for(call, issue, "read")
    return paged(call, labels_json(call.hub, issue.labels), lambda label: label)


def change_labels(call: Call, names: list[str]) -> Reply:
    issue = issue_of(call)
    require_for(call, issue, "write")
    set_labels(call.hub, call.actor, issue.number, names)
    return Reply(labels_json(call.hub, call.hub.store.issues[issue.number].labels))


def _given_labels(call: Call) -> list[str]:
    """The body is a list, or an object that has one."""
    value = call.body if isinstance(call.body, list) else call.fields().get("labels")
    names = label_names(value)
    if names is None:
        raise ApiError(422, 'Invalid request.\n\n"labels" wasn\'t supplied.')
    return names


def add_labels(call: Call) -> Reply:
    return change_labels(call, [*issue_of(call).labels, *_given_labels(call)])


def replace_labels(call: Call) -> Reply:
    return change_labels(call, _given_labels(call))


def clear_labels(call: Call) -> Reply:
    change_labels(call, [])
    return no_content()


def remove_label(call: Call) -> Reply:
    issue, name = issue_of(call), call.params["name"].lower()
    if name not in (label.lower() for label in issue.labels):
        raise ApiError(404, "Label does not exist")
    return change_labels(call, [label for label in issue.labels if label.lower() != name])


_EITHER = ("issues", "pull-requests")
OPERATIONS: tuple[Operation, ...] = (
    operation("GET", "/issues", list_issues, "read", "issues"),
    operation("POST", "/issues", create_issue, "participate", "issues"),
    operation("GET", "/labels", list_labels, "read", *_EITHER),
    operation("POST", "/labels", create_label, "write", *_EITHER),
    operation("GET", "/labels/{name}", get_label, "read", *_EITHER),
    operation("GET", "/issues/{number}/labels", issue_labels, "read", *_EITHER),
    operation("POST", "/issues/{number}/labels", add_labels, "write", *_EITHER),
    operation("PUT", "/issues/{number}/labels", replace_labels, "write", *_EITHER),
    operation("DELETE", "/issues/{number}/labels", clear_labels, "write", *_EITHER),
    operation("DELETE", "/issues/{number}/labels/{name}", remove_label, "write", *_EITHER),
    operation("GET", "/issues/{number}", get_issue, "read", *_EITHER),
    operation("PATCH", "/issues/{number}", update_issue, "participate", *_EITHER),
)
