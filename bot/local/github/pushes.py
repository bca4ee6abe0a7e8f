"""The one way in which refs move, and what follows from it: push events, pull requests that follow their branch, closing keywords."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.local.github.conversation import announce, announce_issue, close_named, set_state
from bot.local.github.git import EMPTY_TREE, ZERO
from bot.local.github.gitread import Commit, commit_at, names_changed
from bot.local.github.hub import Actor, Hub
from bot.local.github.nouns import Json, Pull
from bot.local.github.shapes_git import push_commit_json

_COMMITS_IN_EVENT = 100


def move_ref(hub: Hub, actor: Actor, ref: str, before: str, after: str, *, forced: bool = False, merging: int | None = None) -> None:
    """Moves `ref` (ZERO: from or to nothing) and does what GitHub does then. `merging` is the pull request that this push merges.

    Raises GitError when the ref was not at `before`.
    """
    branch = ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else None
    following = [pull for pull in hub.store.open_pulls() if pull.head == branch and pull.number != merging]
    moves = [(ref, after, before)]
    if after != ZERO:
        moves += [(f"refs/pull/{pull.number}/head", after, pull.head_sha) for pull in following if pull.head_sha != after]
    hub.git.move_refs(moves)
    commits = _new_commits(hub, ref, before, after)
    _announce_push(hub, actor, ref, before, after, commits, forced=forced)
    if branch is None:
        return
    for pull in following:
        _follow(hub, actor, pull, before, after)
    if after != ZERO:
        _merge_by_push(hub, actor, branch, after, merging)
        if branch == hub.default_branch:
            close_named(hub, actor, [commit.message for commit in commits])


def _new_commits(hub: Hub, ref: str, before: str, after: str) -> list[Commit]:
    """What a push brought, oldest first; for a new branch what no other branch had."""
    if after == ZERO or not ref.startswith("refs/heads/"):
        return []
    excluded = [before] if before != ZERO else sorted({sha for name, sha in hub.git.refs("refs/heads/") if name != ref})
    if after in excluded:
        return []
    shas = hub.git.commits_between(excluded, after, limit=_COMMITS_IN_EVENT)
    return [commit_at(hub.git, sha) for sha in shas]


def _with_changes(hub: Hub, commits: Sequence[Commit]) -> list[Json]:
    pairs = [(commit_at(hub.git, commit.parents[0]).tree if commit.parents else EMPTY_TREE, commit.tree) for commit in commits]
    changed = names_changed(hub.git, pairs)
    return [push_commit_json(hub, commit, changed[pair]) for commit, pair in zip(commits, pairs, strict=True)]


def _announce_push(hub: Hub, actor: Actor, ref: str, before: str, after: str, commits: Sequence[Commit], *, forced: bool) -> None:
    shown = _with_changes(hub, commits)
    short, kind = ref.split("/", 2)[2], "tag" if ref.startswith("refs/tags/") else "branch"
    payload: Json = {
        "ref": ref,
        "before": before,
        "after": after,
        "created": before == ZERO,
        "deleted": after == ZERO,
        "forced": forced,
        "base_ref": None,
        "compare": f"{hub.html}/compare/{before[:12]}...{after[:12]}",
        "commits": shown,
        "head_commit": shown[-1] if shown else (_with_changes(hub, [commit_at(hub.git, after)])[0] if after != ZERO else None),
        "pusher": {"name": actor.login, "email": hub.identity(actor.login).email},
    }
    announce(hub, actor, "push", None, payload)
    if ZERO in (before, after):
        named = {"ref": short, "ref_type": kind, "master_branch": hub.default_branch, "pusher_type": "user", "description": None}
        announce(hub, actor, "create" if before == ZERO else "delete", None, named)


def _follow(hub: Hub, actor: Actor, pull: Pull, before: str, after: str) -> None:
    """A pull request's branch moved: it shows the new head; without a branch it is closed."""
    if after == ZERO:
        set_state(hub, actor, pull.number, "closed")
        return
    base = hub.git.branch(pull.base) or pull.base_sha
    hub.store.pulls[pull.number] = replace(pull, head_sha=after, base_sha=base)
    hub.store.issues[pull.number] = replace(hub.store.issues[pull.number], updated_at=hub.clock())
    announce_issue(hub, actor, pull.number, "synchronize", {"before": before, "after": after})


def _merge_by_push(hub: Hub, actor: Actor, branch: str, after: str, merging: int | None) -> None:
    """A pull request whose head reached its base by other ways counts as merged."""
    for pull in hub.store.open_pulls():
        if pull.base == branch and pull.number != merging and hub.git.is_ancestor(pull.head_sha, after):
            mark_merged(hub, actor, pull, pull.head_sha)


def mark_merged(hub: Hub, actor: Actor, pull: Pull, commit: str, base_sha: str | None = None) -> None:
    """Closes a pull request as merged and announces it. `base_sha` is the base's tip just before."""
    hub.store.pulls[pull.number] = replace(
        pull, merged_at=hub.clock(), merged_by=actor.login, merge_commit_sha=commit, base_sha=base_sha or pull.base_sha
    )
    set_state(hub, actor, pull.number, "closed")
    if pull.base == hub.default_branch:
        close_named(hub, actor, [hub.store.issues[pull.number].body or ""])
