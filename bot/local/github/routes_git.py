"""REST routes of the git data API: refs, blobs, trees, commits."""

from __future__ import annotations

import base64
import binascii

from bot.local.github.app import Operation, operation
from bot.local.github.git import ZERO, GitError, Identity, is_ref_name, is_sha
from bot.local.github.gitread import Commit, commit_at, list_tree, read_commit, read_tree
from bot.local.github.hub import git_time, parse_iso
from bot.local.github.nouns import Json
from bot.local.github.pushes import move_ref
from bot.local.github.rest import ApiError, Call, Reply, no_content, not_found
from bot.local.github.shapes_git import git_commit_json, ref_json, tree_entry_json
from bot.local.github.treewrite import MODES, TreeChange, path_is_safe, write_tree


def get_ref(call: Call) -> Reply:
    name = f"refs/{call.params['ref']}"
    found = call.hub.git.look_up(name) if is_ref_name(name) else None
    if found is None:
        raise not_found()
    return Reply(ref_json(call.hub, name, found.sha, found.kind))


def matching_refs(call: Call) -> Reply:
    return Reply([ref_json(call.hub, name, sha) for name, sha in call.hub.git.refs(f"refs/{call.params['ref']}")])


def create_ref(call: Call) -> Reply:
    name, sha = call.text("ref"), call.text("sha")
    if not name.startswith("refs/") or name.count("/") < 2 or not is_ref_name(name):
        raise ApiError(422, f"Reference name {name!r} is not valid: it begins with refs/heads/ or refs/tags/.")
    if not name.startswith(("refs/heads/", "refs/tags/")):
        raise ApiError(422, "You can't create refs outside of refs/heads and refs/tags.")
    if not is_sha(sha) or call.hub.git.object(sha, "commit") is None:
        raise ApiError(422, "Object does not exist")
    if call.hub.git.ref(name):
        raise ApiError(422, "Reference already exists")
    try:
        move_ref(call.hub, call.actor, name, ZERO, sha)
    except GitError as error:  # a branch a/b cannot be where a branch a is
        raise ApiError(422, f"Reference cannot be created: {error}") from error
    return Reply(ref_json(call.hub, name, sha), 201)


def update_ref(call: Call) -> Reply:
    name, sha = f"refs/{call.params['ref']}", call.text("sha")
    before = _movable(call, name)
    if not is_sha(sha) or call.hub.git.object(sha, "commit") is None:
        raise ApiError(422, "Object does not exist")
    forward = call.hub.git.is_ancestor(before, sha)
    if _is_protected(call, name):
        raise ApiError(422, "Changes must be made through a pull request." if forward else "Cannot force-push to this branch")
    if not forward and not call.flag("force"):
        raise ApiError(422, "Update is not a fast forward")
    if before != sha:
        move_ref(call.hub, call.actor, name, before, sha, forced=not forward)
    return Reply(ref_json(call.hub, name, sha))


def delete_ref(call: Call) -> Reply:
    name = f"refs/{call.params['ref']}"
    before = _movable(call, name)
    if _is_protected(call, name) or name == f"refs/heads/{call.hub.default_branch}":
        raise ApiError(422, "Cannot delete this branch")
    move_ref(call.hub, call.actor, name, before, ZERO)
    return no_content()


def _movable(call: Call, name: str) -> str:
    before = call.hub.git.ref(name) if name.startswith(("refs/heads/", "refs/tags/")) else None
    if before is None:
        raise ApiError(422, "Reference does not exist")
    return before


def _is_protected(call: Call, name: str) -> bool:
    return name.removeprefix("refs/heads/") in call.hub.store.protections


def create_blob(call: Call) -> Reply:
    content, encoding = call.text("content"), call.text("encoding", "utf-8")
    if encoding not in ("utf-8", "base64"):
        raise ApiError(422, f"Invalid request.\n\n{encoding!r} is not an encoding: utf-8 or base64.")
    sha = call.hub.git.write_blob(decoded(content) if encoding == "base64" else content.encode())
    return Reply({"sha": sha, "url": f"{call.hub.api}/git/blobs/{sha}"}, 201)


def decoded(content: str) -> bytes:
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ApiError(422, "content is not valid Base64") from error


def get_blob(call: Call) -> Reply:
    sha = call.params["sha"]
    content = call.hub.git.object(sha, "blob")
    if content is None:
        raise not_found()
    if "raw" in call.accept:
        return Reply(content, media_type="application/vnd.github.raw; charset=utf-8")
    encoded = base64.encodebytes(content).decode()
    url = f"{call.hub.api}/git/blobs/{sha}"
    return Reply({"sha": sha, "node_id": sha, "size": len(content), "url": url, "content": encoded, "encoding": "base64"})


def get_tree(call: Call) -> Reply:
    git, name = call.hub.git, call.params["sha"]
    sha = name if git.object(name, "tree") is not None else None
    if sha is None:
        commit = git.resolve(name)
        if commit is None:
            raise not_found()
        sha = commit_at(git, commit).tree
    recursive = "recursive" in call.query  # any value asks for it, as on GitHub
    shown = [tree_entry_json(call.hub, path, entry, size) for path, entry, size in list_tree(git, sha, recursive=recursive)]
    return Reply({"sha": sha, "url": f"{call.hub.api}/git/trees/{sha}", "tree": shown, "truncated": False})


def create_tree(call: Call) -> Reply:
    entries, base = call.fields().get("tree"), call.optional_text("base_tree")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries) or not entries:
        raise ApiError(422, 'Invalid request.\n\n"tree" is not a list of objects.')
    git = call.hub.git
    if base is not None:
        base = base if is_sha(base) else ""
        commit = read_commit(git, base)
        base = commit.tree if commit else base
        if read_tree(git, base) is None:
            raise ApiError(422, "base_tree does not exist or is not a tree object")
    changes = [_tree_change(call, entry) for entry in entries]
    if base is not None:
        held = {path for path, _, _ in list_tree(git, base, recursive=True)}
        gone = [change.path for change in changes if change.sha is None and change.path not in held]
        if gone:
            raise ApiError(422, f"tree.path {gone[0]} is to be deleted but is not in base_tree")
    try:
        sha = write_tree(git, base, changes)
    except GitError as error:
        raise ApiError(422, f"tree cannot be written: {error}") from error
    shown = [tree_entry_json(call.hub, entry.name, entry, None) for entry in read_tree(git, sha) or ()]
    return Reply({"sha": sha, "url": f"{call.hub.api}/git/trees/{sha}", "tree": shown, "truncated": False}, 201)


def _tree_change(call: Call, entry: Json) -> TreeChange:
    path, mode = entry.get("path"), entry.get("mode")
    if not isinstance(path, str) or not path_is_safe(path):
        raise ApiError(422, "tree.path contains a malformed path component")
    if mode not in MODES:
        raise ApiError(422, f"tree.mode {mode!r} is not one of {', '.join(sorted(MODES))}")
    content, sha = entry.get("content"), entry.get("sha")
    if isinstance(content, str):
        if sha is not None:
            raise ApiError(422, "Must supply either tree.sha or tree.content, not both.")
        return TreeChange(path, mode, call.hub.git.write_blob(content.encode()))
    if "sha" not in entry:
        raise ApiError(422, "Must supply tree.sha or tree.content")
    kind = {"040000": "tree", "160000": "commit"}.get(mode, "blob")
    if sha is not None and (not isinstance(sha, str) or (kind != "commit" and call.hub.git.object(sha, kind) is None)):
        raise ApiError(422, f"tree.sha {sha} is not a valid {kind}")
    return TreeChange(path, mode, sha)


def create_commit(call: Call) -> Reply:
    git = call.hub.git
    message, tree, parents = call.text("message"), call.text("tree"), call.strings("parents") or []
    if read_tree(git, tree) is None:
        raise ApiError(422, "Tree SHA does not exist")
    for parent in parents:
        if git.object(parent, "commit") is None:
            raise ApiError(422, f"Parent SHA {parent} does not exist or is not a commit object")
    author = identity_field(call, "author") or call.hub.identity(call.actor.login)
    committer = identity_field(call, "committer") or author
    sha = git.write_commit(tree, parents, message, author, committer)
    return Reply(git_commit_json(call.hub, commit_at(git, sha)), 201)


def identity_field(call: Call, name: str) -> Identity | None:
    """An author or committer of the body, None when absent."""
    value = call.fields().get(name)
    if value is None:
        return None
    if not isinstance(value, dict) or not all(isinstance(value.get(key), str) and value[key] for key in ("name", "email")):
        raise ApiError(422, f"Invalid request.\n\n{name} needs a name and an email.")
    at_s = parse_iso(str(value["date"])) if value.get("date") else call.hub.clock()
    if at_s is None:
        raise ApiError(422, f"Invalid request.\n\n{name}.date is not an ISO 8601 time.")
    return Identity(value["name"], value["email"], git_time(at_s))


def get_commit(call: Call) -> Reply:
    commit: Commit | None = read_commit(call.hub.git, call.params["sha"])
    if commit is None:
        raise not_found()
    return Reply(git_commit_json(call.hub, commit))


OPERATIONS: tuple[Operation, ...] = (
    operation("GET", "/git/ref/{ref:path}", get_ref, "read", "contents"),
    operation("GET", "/git/matching-refs/{ref:path}", matching_refs, "read", "contents"),
    operation("POST", "/git/refs", create_ref, "write", "contents"),
    operation("PATCH", "/git/refs/{ref:path}", update_ref, "write", "contents"),
    operation("DELETE", "/git/refs/{ref:path}", delete_ref, "write", "contents"),
    operation("POST", "/git/blobs", create_blob, "write", "contents"),
    operation("GET", "/git/blobs/{sha}", get_blob, "read", "contents"),
    operation("POST", "/git/trees", create_tree, "write", "contents"),
    operation("GET", "/git/trees/{sha:path}", get_tree, "read", "contents"),
    operation("POST", "/git/commits", create_commit, "write", "contents"),
    operation("GET", "/git/commits/{sha}", get_commit, "read", "contents"),
)
