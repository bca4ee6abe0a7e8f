"""GitHub's JSON to our nouns. Reads only what we use and ignores the rest, so that new fields never break it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from bot.errors import Refused
from bot.forge import ChangedFile, CheckRun, Comment, Commit, Issue, Pull, Reaction, WorkflowRun

Noun = TypeVar("Noun")
Given = ParamSpec("Given")


def at(data: Any, *keys: str) -> Any:
    """What stands at a path of keys. Raises Refused when the answer has another form than GitHub's."""
    for key in keys:
        if not isinstance(data, dict) or key not in data:
            raise Refused(f"GitHub's answer has no {'.'.join(keys)!r}: is GITHUB_API_URL GitHub's REST API?")
        data = data[key]
    return data


def items(data: Any) -> list[Any]:
    """A list. Raises Refused when the answer is none."""
    if not isinstance(data, list):
        raise Refused("GitHub's answer is no list: is GITHUB_API_URL GitHub's REST API?")
    return data


def of_known_form(read: Callable[Given, Noun]) -> Callable[Given, Noun]:
    """Makes an answer of another form a Refused that names what is missing, so that it is told instead of ending the loop."""

    @wraps(read)
    def checked(*given: Given.args, **named: Given.kwargs) -> Noun:
        try:
            return read(*given, **named)
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise Refused(f"GitHub's answer is not a {read.__name__} as we know it ({type(problem).__name__}: {problem})") from problem

    return checked


def seconds(stamp: str | None) -> float | None:
    """ "2026-11-23T09:00:00Z" (fractions allowed) to Unix seconds."""
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp() if stamp else None


def stamp(at_s: float) -> str:
    """Unix seconds to GitHub's form; whole seconds."""
    return datetime.fromtimestamp(int(at_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def login(user: Any) -> str:
    return str((user or {}).get("login", ""))


@of_known_form
def issue(data: Any) -> Issue:
    return Issue(
        number=data["number"],
        title=data["title"],
        body=data.get("body") or "",
        author=login(data.get("user")),
        state=data["state"],
        labels=labels(data),
        created_s=seconds(data["created_at"]) or 0.0,
        closed_s=seconds(data.get("closed_at")),
        is_pull="pull_request" in data,
        reopened=data["state"] == "open" and data.get("state_reason") == "reopened",
        updated_s=seconds(data.get("updated_at")) or 0.0,
    )


def labels(data: Any) -> tuple[str, ...]:
    return tuple(label if isinstance(label, str) else label.get("name", "") for label in data.get("labels", ()))


@of_known_form
def comment(data: Any, number: int) -> Comment:
    return Comment(
        id=data["id"],
        issue=number,
        author=login(data.get("user")),
        author_is_bot=(data.get("user") or {}).get("type") == "Bot",
        body=data.get("body") or "",
        created_s=seconds(data["created_at"]) or 0.0,
        updated_s=seconds(data.get("updated_at")) or seconds(data["created_at"]) or 0.0,
    )


@of_known_form
def pull(data: Any) -> Pull:
    merged = bool(data.get("merged_at"))
    return Pull(
        number=data["number"],
        title=data["title"],
        body=data.get("body") or "",
        author=login(data.get("user")),
        branch=_branch(data),
        head_sha=data["head"]["sha"],
        base_branch=data["base"]["ref"],
        state="merged" if merged else data["state"],
        merge_sha=(data.get("merge_commit_sha") or "") if merged else "",
        merged_by=login(data.get("merged_by")),
        labels=labels(data),
        created_s=seconds(data["created_at"]) or 0.0,
        closed_s=seconds(data.get("merged_at") or data.get("closed_at")),
        mergeable=data.get("mergeable"),
        updated_s=seconds(data.get("updated_at")) or 0.0,
    )


def _branch(data: Any) -> str:
    """A fork's branch as "owner:branch", which no branch of this repository can be called. A deleted fork is null."""
    head, base = data["head"], data["base"]
    if "repo" in head and (head["repo"] or {}).get("id") != (base.get("repo") or {}).get("id"):
        return str(head.get("label") or f"{login(head.get('user'))}:{head['ref']}")
    return str(head["ref"])


@of_known_form
def changed_file(data: Any) -> ChangedFile:
    status = data["status"]
    return ChangedFile(
        path=data["filename"],
        status=status if status in ("added", "modified", "removed", "renamed") else "modified",
        additions=data.get("additions", 0),
        deletions=data.get("deletions", 0),
        previous_path=data.get("previous_filename", ""),
        patch=data.get("patch", ""),
    )


@of_known_form
def commit(data: Any) -> Commit:
    inner = data["commit"]
    return Commit(
        sha=data["sha"],
        message=inner["message"],
        author_login=login(data.get("author")),
        author_name=(inner.get("author") or {}).get("name", ""),
        committed_s=seconds((inner.get("committer") or {}).get("date")) or 0.0,
        parents=tuple(parent["sha"] for parent in data.get("parents", ())),
        files=tuple(changed_file(f) for f in data.get("files", ())),
        tree=(inner.get("tree") or {}).get("sha", ""),
    )


@of_known_form
def run(data: Any) -> WorkflowRun:
    return WorkflowRun(
        id=data["id"],
        path=data["path"].partition("@")[0],
        title=data.get("display_title") or "",
        event=data["event"],
        head_sha=data["head_sha"],
        status=data["status"] or "",
        conclusion=data.get("conclusion") or "",
        attempt=data.get("run_attempt") or 1,
        created_s=seconds(data.get("run_started_at") or data["created_at"]) or 0.0,
        url=data.get("html_url") or "",
    )


@of_known_form
def reaction(data: Any) -> Reaction:
    return Reaction(data["content"], login(data.get("user")))


@of_known_form
def check_run(data: Any) -> CheckRun:
    return CheckRun(
        name=data["name"],
        head_sha=data["head_sha"],
        status=data["status"],
        conclusion=data.get("conclusion") or "",
        app=(data.get("app") or {}).get("slug", ""),
        url=data.get("html_url") or data.get("details_url") or "",
    )
