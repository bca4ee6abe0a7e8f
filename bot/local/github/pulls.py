"""Pull requests: opening, whether they may be merged, and merging. What protects a branch binds everybody."""

from __future__ import annotations

from dataclasses import replace

from bot.local.github.conversation import announce_issue, open_issue, set_state
from bot.local.github.git import ZERO, GitError, Identity
from bot.local.github.gitread import Commit, commit_at, diff
from bot.local.github.hub import Actor, Hub
from bot.local.github.merging import three_way, trial_merge
from bot.local.github.nouns import CheckRun, Issue, Json, Pull
from bot.local.github.pushes import mark_merged, move_ref
from bot.local.github.rest import ApiError, invalid
from bot.local.github.shapes_pull import merge_facts_json, pull_json

_METHODS = ("merge", "squash", "rebase")


def open_pull(hub: Hub, actor: Actor, *, title: str, body: str | None, head: str, base: str, draft: bool) -> Pull:
    """Raises 422 as GitHub: an unknown branch, nothing between them, one that is open already."""
    owner, _, branch = head.rpartition(":")
    head_sha = hub.git.branch(branch)
    if (owner and owner.lower() != hub.owner.lower()) or head_sha is None:
        raise invalid("PullRequest", "head", "invalid")
    base_sha = hub.git.branch(base)
    if base_sha is None:
        raise invalid("PullRequest", "base", "invalid")
    if any(pull.head == branch and pull.base == base for pull in hub.store.open_pulls()):
        message = f"A pull request already exists for {hub.owner}:{branch}."
        raise ApiError(422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": message}])
    if hub.git.is_ancestor(head_sha, base_sha):
        message = f"No commits between {base} and {branch}"
        raise ApiError(422, "Validation Failed", [{"resource": "PullRequest", "code": "custom", "message": message}])
    issue = open_issue(hub, actor, title, body, ())
    pull = Pull(hub.store.next_id(), issue.number, branch, base, head_sha, base_sha, draft)
    hub.store.pulls[pull.number] = pull
    hub.git.move_refs([(f"refs/pull/{pull.number}/head", head_sha, ZERO)])
    announce_issue(hub, actor, pull.number, "opened")
    return pull


def set_pull_state(hub: Hub, actor: Actor, pull: Pull, state: str) -> None:
    """Closes, or reopens while its branch is still there and not merged."""
    issue = hub.store.issues[pull.number]
    if state == "open" and issue.state == "closed":
        head_sha = hub.git.branch(pull.head)
        if pull.merged_at is not None or head_sha is None or not hub.git.is_ancestor(pull.head_sha, head_sha):
            why = "it is merged" if pull.merged_at else f"the {pull.head} branch was deleted, force-pushed or recreated"
            raise invalid("PullRequest", "state", "invalid", f"state cannot be changed. {why[0].upper()}{why[1:]}.")
        if any(other.head == pull.head and other.base == pull.base for other in hub.store.open_pulls()):
            why = f"There is already an open pull request from {pull.head} to {pull.base}."
            raise invalid("PullRequest", "state", "invalid", f"state cannot be changed. {why}")
        if head_sha != pull.head_sha:
            hub.git.move_refs([(f"refs/pull/{pull.number}/head", head_sha, pull.head_sha)])
            hub.store.pulls[pull.number] = replace(pull, head_sha=head_sha, base_sha=hub.git.branch(pull.base) or pull.base_sha)
    set_state(hub, actor, pull.number, state)


def full_pull_json(hub: Hub, pull: Pull) -> Json:
    """As `GET pulls/N` answers, mergeability by a real trial merge included."""
    before, after = span(hub, pull)
    files = diff(hub.git, before, after, patches=False)
    mergeable = can_merge(hub, pull) if hub.store.issues[pull.number].state == "open" else None
    state = "unknown" if mergeable is None else _mergeable_state(hub, pull, mergeable)
    return {
        **pull_json(hub, pull),
        **merge_facts_json(hub, pull),
        "mergeable": mergeable,
        "mergeable_state": state,
        "commits": len(commits_of(hub, pull)),
        "additions": sum(file.additions for file in files),
        "deletions": sum(file.deletions for file in files),
        "changed_files": len(files),
    }


def _base_tip(hub: Hub, pull: Pull) -> str:
    """Where the base is; for one that is closed, where it was."""
    if hub.store.issues[pull.number].state == "open":
        return hub.git.branch(pull.base) or pull.base_sha
    return pull.base_sha


def span(hub: Hub, pull: Pull) -> tuple[str, str]:
    """The two commits between which the pull request's own changes lie."""
    return hub.git.merge_base(_base_tip(hub, pull), pull.head_sha) or pull.base_sha, pull.head_sha


def commits_of(hub: Hub, pull: Pull) -> list[str]:
    return hub.git.commits_between([_base_tip(hub, pull)], pull.head_sha)


def can_merge(hub: Hub, pull: Pull) -> bool:
    key = (_base_tip(hub, pull), pull.head_sha)
    if key not in hub.mergeable:
        hub.mergeable[key] = trial_merge(hub.git, *key).tree is not None
    return hub.mergeable[key]


def _mergeable_state(hub: Hub, pull: Pull, mergeable: bool) -> str:
    if pull.draft:
        return "draft"
    if not mergeable:
        return "dirty"
    return "blocked" if unmet_checks(hub, pull) else "clean"


def latest_check(hub: Hub, head_sha: str, name: str) -> CheckRun | None:
    """The check run of that name made last on that commit."""
    runs = [run for run in hub.store.check_runs.values() if run.head_sha == head_sha and run.name == name]
    return max(runs, key=lambda run: run.id, default=None)


def unmet_checks(hub: Hub, pull: Pull) -> list[str]:
    """One sentence for each required check that the head does not have green."""
    protection = hub.store.protections.get(pull.base)
    found = []
    for name in protection.required_checks if protection else ():
        run = latest_check(hub, pull.head_sha, name)
        if run is None:
            found.append(f'Required status check "{name}" is expected.')
        elif run.status != "completed":
            found.append(f'Required status check "{name}" is in progress.')
        elif run.conclusion != "success":
            found.append(f'Required status check "{name}" is failing.')
    return found


def merge(hub: Hub, actor: Actor, pull: Pull, *, sha: str | None, method: str, title: str | None, message: str | None) -> str:
    """The id of the commit that the base is at then. Raises 405 (may not, conflicts), 409 (the head is another one than `sha`)."""
    issue = hub.store.issues[pull.number]
    if method not in _METHODS:
        raise ApiError(422, f"Invalid request.\n\n{method!r} is not a merge method: {', '.join(_METHODS)}.")
    if issue.state != "open":
        raise ApiError(405, "Pull Request is not mergeable")
    if pull.draft:
        raise ApiError(405, "Pull Request is still a draft")
    if sha is not None and sha != pull.head_sha:
        raise ApiError(409, "Head branch was modified. Review and try the merge again.")
    unmet = unmet_checks(hub, pull)
    if unmet:
        raise ApiError(405, " ".join(unmet))
    base = hub.git.branch(pull.base)
    if base is None:
        raise ApiError(405, "Pull Request is not mergeable")
    commit = _build(hub, actor, pull, issue, base, method, title, message)
    try:
        move_ref(hub, actor, f"refs/heads/{pull.base}", base, commit, merging=pull.number)
    except GitError as error:
        raise ApiError(409, "Base branch was modified. Review and try the merge again.") from error
    mark_merged(hub, actor, hub.store.pulls[pull.number], commit, base_sha=base)
    return commit


def _build(hub: Hub, actor: Actor, pull: Pull, issue: Issue, base: str, method: str, title: str | None, message: str | None) -> str:
    if method == "rebase":
        return _rebased(hub, actor, pull, base)
    tree = trial_merge(hub.git, base, pull.head_sha).tree
    if tree is None:
        raise ApiError(405, "Pull Request is not mergeable")
    if method == "squash":
        commits = [commit_at(hub.git, sha) for sha in commits_of(hub, pull)]
        subject = title or f"{issue.title} (#{pull.number})"
        body = _squash_message(commits) if message is None else message
        return hub.git.write_commit(tree, [base], _text(subject, body), hub.identity(issue.author), hub.web_flow())
    subject = title or f"Merge pull request #{pull.number} from {hub.owner}/{pull.head}"
    body = issue.title if message is None else message
    return hub.git.write_commit(tree, [base, pull.head_sha], _text(subject, body), hub.identity(actor.login), hub.web_flow())


def _text(subject: str, body: str) -> str:
    return f"{subject}\n\n{body}" if body else subject


def _squash_message(commits: list[Commit]) -> str:
    if len(commits) == 1:
        return commits[0].message.partition("\n")[2].strip()
    return "\n\n".join(f"* {commit.message}" for commit in commits)


def _rebased(hub: Hub, actor: Actor, pull: Pull, base: str) -> str:
    """Replays each commit on the base, authors kept."""
    committer: Identity = hub.identity(actor.login)
    tip = base
    for sha in commits_of(hub, pull):
        commit = commit_at(hub.git, sha)
        if len(commit.parents) != 1:
            raise ApiError(405, "This branch can't be rebased")
        tree = three_way(hub.git, commit.parents[0], tip, sha).tree
        if tree is None:
            raise ApiError(405, "Pull Request is not mergeable")
        tip = hub.git.write_commit(tree, [tip], commit.message, commit.author, committer)
    return tip


def update_branch(hub: Hub, actor: Actor, pull: Pull, expected: str | None) -> None:
    """Merges the base into the head branch. Raises 422 when the head moved, when there is nothing to merge, or on a conflict."""
    if expected is not None and expected != pull.head_sha:
        raise ApiError(422, "expected head sha didn't match current head ref.")
    base, head = hub.git.branch(pull.base), hub.git.branch(pull.head)
    if base is None or head is None or hub.store.issues[pull.number].state != "open":
        raise ApiError(422, "The pull request's branches are gone or it is closed.")
    if hub.git.is_ancestor(base, head):
        raise ApiError(422, "There are no new commits on the base branch.")
    tree = trial_merge(hub.git, head, base).tree
    if tree is None:
        raise ApiError(422, f"merge conflict between base and head: {pull.base} into {pull.head}")
    message = f"Merge branch '{pull.base}' into {pull.head}"
    commit = hub.git.write_commit(tree, [head, base], message, hub.identity(actor.login), hub.web_flow())
    move_ref(hub, actor, f"refs/heads/{pull.head}", head, commit)
