"""REST routes of pull requests."""

from __future__ import annotations

from bot.local.github import pulls
from bot.local.github.access import is_writer
from bot.local.github.app import Operation, operation
from bot.local.github.conversation import edit_issue
from bot.local.github.gitread import commit_at, diff
from bot.local.github.nouns import Pull
from bot.local.github.rest import ApiError, Call, Reply, invalid, limited, no_content, not_found, paged
from bot.local.github.routes_issues import title_field
from bot.local.github.shapes_git import commit_json, file_json
from bot.local.github.shapes_pull import pull_json


def pull_of(call: Call) -> Pull:
    pull = call.hub.store.pulls.get(call.number("number"))
    if pull is None:
        raise not_found()
    return pull


def create_pull(call: Call) -> Reply:
    pull = pulls.open_pull(
        call.hub,
        call.actor,
        title=title_field(call, "PullRequest", required=True) or "",
        body=limited("PullRequest", "body", call.optional_text("body")),
        head=call.text("head"),
        base=call.text("base"),
        draft=call.flag("draft"),
    )
    return Reply(pulls.full_pull_json(call.hub, pull), 201)


def get_pull(call: Call) -> Reply:
    return Reply(pulls.full_pull_json(call.hub, pull_of(call)))


def list_pulls(call: Call) -> Reply:
    store = call.hub.store
    state = call.choice("state", ("open", "closed", "all"), "open")
    owner, _, branch = call.query.get("head", "").rpartition(":")
    base = call.query.get("base", "")
    if owner and owner.lower() != call.hub.owner.lower():
        return paged(call, [], lambda pull: pull)
    if branch and not owner:
        branch = ""  # GitHub ignores a head filter without an owner
    found = [
        pull
        for pull in store.pulls.values()
        if state in ("all", store.issues[pull.number].state) and branch in ("", pull.head) and base in ("", pull.base)
    ]
    order = call.choice("sort", ("created", "updated", "popularity", "long-running"), "created")
    newest_first = call.choice("direction", ("asc", "desc"), "desc" if order == "created" else "asc") == "desc"

    def key(pull: Pull) -> tuple[float, int]:
        issue = store.issues[pull.number]
        value = {"updated": issue.updated_at, "popularity": float(len(store.comments_of(pull.number)))}.get(order, issue.created_at)
        return value, pull.number

    return paged(call, sorted(found, key=key, reverse=newest_first), lambda pull: pull_json(call.hub, pull))


def update_pull(call: Call) -> Reply:
    pull = pull_of(call)
    if not is_writer(call.actor) and call.hub.store.issues[pull.number].author != call.actor.login:
        raise ApiError(403, "Must have push access or be the author of the pull request.")
    title = title_field(call, "PullRequest", required=False)
    body = limited("PullRequest", "body", call.optional_text("body"))
    state, base = call.optional_text("state"), call.optional_text("base")
    if state not in (None, "open", "closed"):
        raise invalid("PullRequest", "state", "invalid")
    if base not in (None, pull.base):
        raise ApiError(501, "The embedded GitHub does not change a pull request's base.")
    edit_issue(call.hub, call.actor, pull.number, title=title, body=body, body_given="body" in call.fields())
    if state is not None:
        pulls.set_pull_state(call.hub, call.actor, pull, state)
    return Reply(pulls.full_pull_json(call.hub, call.hub.store.pulls[pull.number]))


def pull_files(call: Call) -> Reply:
    pull = pull_of(call)
    files = diff(call.hub.git, *pulls.span(call.hub, pull))
    return paged(call, files, lambda file: file_json(call.hub, file, pull.head_sha))


def pull_commits(call: Call) -> Reply:
    shas = pulls.commits_of(call.hub, pull_of(call))
    return paged(call, shas, lambda sha: commit_json(call.hub, commit_at(call.hub.git, sha)))


def is_merged(call: Call) -> Reply:
    if pull_of(call).merged_at is None:
        raise not_found()
    return no_content()


def merge_pull(call: Call) -> Reply:
    sha = pulls.merge(
        call.hub,
        call.actor,
        pull_of(call),
        sha=call.optional_text("sha"),
        method=call.text("merge_method", "merge"),
        title=call.optional_text("commit_title"),
        message=call.optional_text("commit_message"),
    )
    return Reply({"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


def update_branch(call: Call) -> Reply:
    pull = pull_of(call)
    pulls.update_branch(call.hub, call.actor, pull, call.optional_text("expected_head_sha"))
    return Reply({"message": "Updating pull request branch.", "url": f"{call.hub.html}/pull/{pull.number}"}, 202)


def list_reviews(call: Call) -> Reply:
    """Nobody can review here, so the list is empty."""
    pull_of(call)
    return Reply([])


OPERATIONS: tuple[Operation, ...] = (
    operation("GET", "/pulls", list_pulls, "read", "pull-requests"),
    operation("POST", "/pulls", create_pull, "write", "pull-requests"),
    operation("GET", "/pulls/{number}", get_pull, "read", "pull-requests"),
    operation("PATCH", "/pulls/{number}", update_pull, "participate", "pull-requests"),
    operation("GET", "/pulls/{number}/files", pull_files, "read", "pull-requests"),
    operation("GET", "/pulls/{number}/commits", pull_commits, "read", "pull-requests"),
    operation("GET", "/pulls/{number}/reviews", list_reviews, "read", "pull-requests"),
    operation("GET", "/pulls/{number}/merge", is_merged, "read", "pull-requests"),
    operation("PUT", "/pulls/{number}/merge", merge_pull, "write", "contents"),
    operation("PUT", "/pulls/{number}/update-branch", update_branch, "write", "pull-requests"),
)
