"""GitHub's JSON shapes for git objects: commits, trees, refs, changed files, comparisons."""

from __future__ import annotations

from bot.local.github.git import Identity
from bot.local.github.gitread import Commit, FileChange, TreeEntry
from bot.local.github.hub import Hub, iso_of
from bot.local.github.nouns import Json
from bot.local.github.shapes import user_json

_UNSIGNED: Json = {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}


def git_user_json(identity: Identity) -> Json:
    return {"name": identity.name, "email": identity.email, "date": iso_of(identity)}


def git_commit_json(hub: Hub, commit: Commit) -> Json:
    """As /git/commits answers."""
    return {
        "sha": commit.sha,
        "node_id": commit.sha,
        "url": f"{hub.api}/git/commits/{commit.sha}",
        "html_url": f"{hub.html}/commit/{commit.sha}",
        "author": git_user_json(commit.author),
        "committer": git_user_json(commit.committer),
        "message": commit.message,
        "tree": {"sha": commit.tree, "url": f"{hub.api}/git/trees/{commit.tree}"},
        "parents": [{"sha": sha, "url": f"{hub.api}/git/commits/{sha}", "html_url": f"{hub.html}/commit/{sha}"} for sha in commit.parents],
        "verification": _UNSIGNED,
    }


def _account(hub: Hub, identity: Identity) -> Json | None:
    user = hub.account_of(identity)
    return user_json(hub, user) if user else None


def commit_json(hub: Hub, commit: Commit, files: list[FileChange] | None = None) -> Json:
    """As /commits answers; with `files`, as for one commit (statistics and patches)."""
    url = f"{hub.api}/commits/{commit.sha}"
    shape: Json = {
        "sha": commit.sha,
        "node_id": commit.sha,
        "url": url,
        "html_url": f"{hub.html}/commit/{commit.sha}",
        "comments_url": f"{url}/comments",
        "commit": {
            "author": git_user_json(commit.author),
            "committer": git_user_json(commit.committer),
            "message": commit.message,
            "tree": {"sha": commit.tree, "url": f"{hub.api}/git/trees/{commit.tree}"},
            "url": f"{hub.api}/git/commits/{commit.sha}",
            "comment_count": 0,
            "verification": _UNSIGNED,
        },
        "author": _account(hub, commit.author),
        "committer": _account(hub, commit.committer),
        "parents": [{"sha": sha, "url": f"{hub.api}/commits/{sha}", "html_url": f"{hub.html}/commit/{sha}"} for sha in commit.parents],
    }
    if files is not None:
        additions, deletions = sum(file.additions for file in files), sum(file.deletions for file in files)
        shape["stats"] = {"total": additions + deletions, "additions": additions, "deletions": deletions}
        shape["files"] = [file_json(hub, file, commit.sha) for file in files]
    return shape


def push_commit_json(hub: Hub, commit: Commit, changed: dict[str, list[str]]) -> Json:
    """A commit as webhooks carry it."""

    def person(identity: Identity) -> Json:
        account = hub.account_of(identity)
        shape = {"name": identity.name, "email": identity.email, "date": iso_of(identity)}
        return {**shape, "username": account.login} if account else shape

    return {
        "id": commit.sha,
        "tree_id": commit.tree,
        "distinct": True,
        "message": commit.message,
        "timestamp": iso_of(commit.committer),
        "url": f"{hub.html}/commit/{commit.sha}",
        "author": person(commit.author),
        "committer": person(commit.committer),
        **changed,
    }


def file_json(hub: Hub, file: FileChange, ref: str) -> Json:
    shape: Json = {
        "sha": file.sha,
        "filename": file.path,
        "status": file.status,
        "additions": file.additions,
        "deletions": file.deletions,
        "changes": file.additions + file.deletions,
        "blob_url": f"{hub.html}/blob/{ref}/{file.path}",
        "raw_url": f"{hub.html}/raw/{ref}/{file.path}",
        "contents_url": f"{hub.api}/contents/{file.path}?ref={ref}",
    }
    if file.patch is not None:
        shape["patch"] = file.patch
    if file.previous_path:
        shape["previous_filename"] = file.previous_path
    return shape


def tree_entry_json(hub: Hub, path: str, entry: TreeEntry, size: int | None) -> Json:
    shape: Json = {"path": path, "mode": entry.mode, "type": entry.kind, "sha": entry.sha}
    if entry.kind != "commit":
        shape["url"] = f"{hub.api}/git/{entry.kind}s/{entry.sha}"
    return shape if size is None else {**shape, "size": size}


def ref_json(hub: Hub, name: str, sha: str, kind: str = "commit") -> Json:
    return {
        "ref": name,
        "node_id": name,
        "url": f"{hub.api}/git/{name}",
        "object": {"type": kind, "sha": sha, "url": f"{hub.api}/git/{kind}s/{sha}"},
    }
