"""Writes to the conversation (issues, comments, labels), each with the event that GitHub announces for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from bot.local.github.hub import Actor, Hub
from bot.local.github.nouns import Comment, Issue, Json, Label
from bot.local.github.shapes import comment_json, issue_json, label_json, repository_json, user_json
from bot.local.github.shapes_pull import merge_facts_json, pull_json

_CLOSING = re.compile(r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+#(\d{1,9})\b", re.IGNORECASE)


def announce(hub: Hub, actor: Actor, name: str, action: str | None, payload: Json, *, always_starts: bool = False) -> None:
    """Queues an event with what every payload carries."""
    whole = {**({"action": action} if action else {}), **payload, "repository": repository_json(hub)}
    if actor.user:
        whole["sender"] = user_json(hub, actor.user)
    hub.emit(actor, name, action, whole, always_starts=always_starts)


def announce_issue(hub: Hub, actor: Actor, number: int, action: str, extra: Json | None = None) -> None:
    """As `issues`, or as `pull_request` when the number is a pull request's."""
    pull = hub.store.pulls.get(number)
    if pull:
        shape = {**pull_json(hub, pull), **merge_facts_json(hub, pull), "mergeable": None, "mergeable_state": "unknown"}
        announce(hub, actor, "pull_request", action, {"number": number, "pull_request": shape, **(extra or {})})
    else:
        announce(hub, actor, "issues", action, {"issue": issue_json(hub, hub.store.issues[number]), **(extra or {})})


def open_issue(hub: Hub, actor: Actor, title: str, body: str | None, labels: Sequence[str]) -> Issue:
    """Creates an issue (or a pull request's conversation, which its caller announces): never unique, two calls make two."""
    now = hub.clock()
    names = tuple(ensure_label(hub, name).name for name in dict.fromkeys(labels))
    issue = Issue(hub.store.next_id(), hub.store.next_number(), title, body, actor.login, now, now, labels=names)
    hub.store.issues[issue.number] = issue
    return issue


def ensure_label(hub: Hub, name: str) -> Label:
    """The label of that name; one that does not exist is made, as GitHub does when it is put on an issue."""
    known = hub.store.label_named(name)
    if known:
        return known
    label = Label(hub.store.next_id(), name, "ededed", None)
    hub.store.labels[name.lower()] = label
    return label


def edit_issue(hub: Hub, actor: Actor, number: int, *, title: str | None, body: str | None, body_given: bool) -> None:
    issue = hub.store.issues[number]
    changes: Json = {}
    if title is not None and title != issue.title:
        changes["title"] = {"from": issue.title}
        issue = replace(issue, title=title)
    if body_given and body != issue.body:
        changes["body"] = {"from": issue.body or ""}
        issue = replace(issue, body=body)
    if changes:
        hub.store.issues[number] = replace(issue, updated_at=hub.clock())
        announce_issue(hub, actor, number, "edited", {"changes": changes})


def set_state(hub: Hub, actor: Actor, number: int, state: str, reason: str | None = None) -> None:
    """Opens or closes; announces only a change."""
    issue = hub.store.issues[number]
    now = hub.clock()
    if state == "closed":
        reason = None if number in hub.store.pulls else (reason or "completed")
        changed = replace(issue, state="closed", state_reason=reason, closed_at=issue.closed_at or now, closed_by=actor.login)
    else:
        reason = None if number in hub.store.pulls else "reopened"
        changed = replace(issue, state="open", state_reason=reason, closed_at=None, closed_by=None)
    if issue.state == state and (state == "open" or issue.state_reason == reason):
        return
    hub.store.issues[number] = replace(changed, updated_at=now)
    if issue.state != state:
        announce_issue(hub, actor, number, "closed" if state == "closed" else "reopened")


def set_labels(hub: Hub, actor: Actor, number: int, names: Sequence[str]) -> None:
    """Makes these the issue's labels; one event for each that came or went."""
    issue = hub.store.issues[number]
    labels = [ensure_label(hub, name) for name in dict.fromkeys(names)]
    wanted = tuple(dict.fromkeys(label.name for label in labels))
    if wanted == issue.labels:
        return
    hub.store.issues[number] = replace(issue, labels=wanted, updated_at=hub.clock())
    for name in wanted:
        if name not in issue.labels:
            announce_issue(hub, actor, number, "labeled", {"label": label_json(hub, ensure_label(hub, name))})
    for name in issue.labels:
        if name not in wanted:
            announce_issue(hub, actor, number, "unlabeled", {"label": label_json(hub, ensure_label(hub, name))})


def add_comment(hub: Hub, actor: Actor, number: int, body: str) -> Comment:
    now = hub.clock()
    comment = Comment(hub.store.next_id(), number, actor.login, body, now, now)
    hub.store.comments[comment.id] = comment
    hub.store.issues[number] = replace(hub.store.issues[number], updated_at=now)
    _announce_comment(hub, actor, comment, "created", {})
    return comment


def edit_comment(hub: Hub, actor: Actor, comment: Comment, body: str) -> Comment:
    changed = replace(comment, body=body, updated_at=hub.clock())
    hub.store.comments[comment.id] = changed
    _announce_comment(hub, actor, changed, "edited", {"changes": {"body": {"from": comment.body}}})
    return changed


def delete_comment(hub: Hub, actor: Actor, comment: Comment) -> None:
    del hub.store.comments[comment.id]
    _announce_comment(hub, actor, comment, "deleted", {})


def _announce_comment(hub: Hub, actor: Actor, comment: Comment, action: str, extra: Json) -> None:
    issue = issue_json(hub, hub.store.issues[comment.issue])
    announce(hub, actor, "issue_comment", action, {"issue": issue, "comment": comment_json(hub, comment), **extra})


def close_named(hub: Hub, actor: Actor, texts: Sequence[str]) -> None:
    """Closes the issues that texts name with a closing keyword ("Closes #12"), as GitHub does when they reach the default branch."""
    for text in texts:
        for found in _CLOSING.finditer(text):
            issue = hub.store.issues.get(int(found[1]))
            if issue and issue.state == "open" and issue.number not in hub.store.pulls:
                set_state(hub, actor, issue.number, "closed")
