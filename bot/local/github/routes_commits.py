"""REST routes of history and files: commits, comparisons, contents, branches."""

from __future__ import annotations

import base64

from bot.local.github.app import Operation, operation
from bot.local.github.git import EMPTY_TREE, GitError, GitObject, is_ref_name
from bot.local.github.gitread import commit_at, diff, history, read_tree
from bot.local.github.hub import parse_iso
from bot.local.github.nouns import Json
from bot.local.github.pulls import commits_of
from bot.local.github.pushes import move_ref
from bot.local.github.rest import ApiError, Call, Reply, not_found, paged
from bot.local.github.routes_git import decoded, identity_field
from bot.local.github.shapes_git import commit_json, file_json, git_commit_json
from bot.local.github.shapes_pull import pull_json
from bot.local.github.treewrite import TreeChange, path_is_safe, write_tree

_INLINE_LIMIT = 1_000_000


def _resolved(call: Call, name: str) -> str:
    sha = call.hub.git.resolve(name)
    if sha is None:
        raise ApiError(422, f"No commit found for SHA: {name}")
    return sha


def list_commits(call: Call) -> Reply:
    start = call.hub.git.resolve(call.query.get("sha", call.hub.default_branch))
    if start is None:
        raise not_found()
    times = {}
    for name in ("since", "until"):
        at_s = parse_iso(call.query[name]) if name in call.query else 0.0
        if at_s is None:
            raise ApiError(422, f"{name} is not an ISO 8601 time")
        times[name] = str(int(at_s)) if name in call.query else ""
    shas = history(call.hub.git, start, path=call.query.get("path", ""), since=times["since"], until=times["until"])
    return paged(call, shas, lambda sha: commit_json(call.hub, commit_at(call.hub.git, sha)))


def get_commit(call: Call) -> Reply:
    commit = commit_at(call.hub.git, _resolved(call, call.params["ref"]))
    files = diff(call.hub.git, commit.parents[0] if commit.parents else EMPTY_TREE, commit.sha if commit.parents else commit.tree)
    return Reply(commit_json(call.hub, commit, files))


def pulls_of_commit(call: Call) -> Reply:
    """The pull requests that brought the commit, or that would."""
    sha = _resolved(call, call.params["ref"])
    pulls = call.hub.store.pulls.values()
    found = [pull for pull in pulls if sha in (pull.merge_commit_sha, pull.head_sha) or sha in commits_of(call.hub, pull)]
    return paged(call, found, lambda pull: pull_json(call.hub, pull))


def compare(call: Call) -> Reply:
    base_name, dots, head_name = call.params["basehead"].partition("...")
    git = call.hub.git
    base, head = (git.resolve(name.removeprefix(f"{call.hub.owner}:")) for name in (base_name, head_name))
    if not dots or base is None or head is None:
        raise not_found()
    fork = git.merge_base(base, head)
    if fork is None:
        raise ApiError(404, f"No common ancestor between {base_name} and {head_name}.")
    ahead, behind = git.commits_between([base], head), git.commits_between([head], base)
    status = {(False, False): "identical", (True, False): "ahead", (False, True): "behind", (True, True): "diverged"}
    url, html = f"{call.hub.api}/compare/{base_name}...{head_name}", f"{call.hub.html}/compare/{base_name}...{head_name}"
    listing = paged(call, ahead, lambda sha: commit_json(call.hub, commit_at(git, sha)))
    body = {
        "url": url,
        "html_url": html,
        "permalink_url": f"{call.hub.html}/compare/{base}...{head}",
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "base_commit": commit_json(call.hub, commit_at(git, base)),
        "merge_base_commit": commit_json(call.hub, commit_at(git, fork)),
        "status": status[bool(ahead), bool(behind)],
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
        "commits": listing.body,
        "files": [file_json(call.hub, file, head) for file in diff(git, fork, head)],
    }
    return Reply(body, headers=listing.headers)


def get_contents(call: Call) -> Reply:
    path, ref = call.params.get("path", "").strip("/"), call.query.get("ref", call.hub.default_branch)
    commit = call.hub.git.resolve(ref)
    if commit is None:
        raise ApiError(404, f"No commit found for the ref {ref}")
    found = call.hub.git.at_path(commit, path)
    if found is None or found.kind not in ("blob", "tree"):
        raise not_found()
    if found.kind == "tree":
        entries = read_tree(call.hub.git, found.sha) or []
        names = [(f"{path}/{entry.name}".lstrip("/"), entry) for entry in entries]
        held = [(name, GitObject(entry.sha, entry.kind, call.hub.git.object(entry.sha, "blob") or b"")) for name, entry in names]
        return Reply([_content_json(call, name, held_object, ref, listed=True) for name, held_object in held])
    if "raw" in call.accept:
        return Reply(found.content, media_type="application/vnd.github.raw; charset=utf-8")
    return Reply(_content_json(call, path, found, ref, listed=False))


def _content_json(call: Call, path: str, found: GitObject, ref: str, *, listed: bool) -> Json:
    hub, is_file = call.hub, found.kind == "blob"
    url = f"{hub.api}/contents/{path}?ref={ref}"
    git_url, html = f"{hub.api}/git/{found.kind}s/{found.sha}", f"{hub.html}/{found.kind}/{ref}/{path}"
    shape: Json = {
        "type": {"blob": "file", "tree": "dir"}.get(found.kind, "submodule"),
        "size": len(found.content) if is_file else 0,
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": found.sha,
        "url": url,
        "git_url": git_url,
        "html_url": html,
        "download_url": f"{hub.html}/raw/{ref}/{path}" if is_file else None,
        "_links": {"self": url, "git": git_url, "html": html},
    }
    if is_file and not listed:
        small = len(found.content) <= _INLINE_LIMIT
        shape["encoding"] = "base64" if small else "none"
        shape["content"] = base64.encodebytes(found.content).decode() if small else ""
    return shape


def put_contents(call: Call) -> Reply:
    """Creates or replaces one file by a commit on a branch."""
    return _change_file(call, decoded(call.text("content")))


def delete_contents(call: Call) -> Reply:
    return _change_file(call, None)


def _change_file(call: Call, content: bytes | None) -> Reply:
    git, path = call.hub.git, call.params["path"]
    message, branch = call.text("message"), call.text("branch", call.hub.default_branch)
    head = git.branch(branch)
    if head is None:
        raise ApiError(404, f"Branch {branch} not found")
    if not path_is_safe(path):
        raise ApiError(422, "path contains a malformed path component")
    verb = "create" if content is not None else "delete"
    if branch in call.hub.store.protections:
        raise ApiError(409, f"Could not {verb} file: Changes must be made through a pull request.")
    present, known = git.at_path(head, path), call.optional_text("sha")
    if present is None and content is None:
        raise not_found()
    if present is not None and known is None:
        raise ApiError(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if known is not None and (present is None or present.sha != known):
        raise ApiError(409, f"{path} does not match {known}")
    blob = None if content is None else git.write_blob(content)
    author = identity_field(call, "author") or identity_field(call, "committer") or call.hub.identity(call.actor.login)
    committer = identity_field(call, "committer") or author
    try:
        tree = write_tree(git, commit_at(git, head).tree, [TreeChange(path, "100644", blob)])
        sha = git.write_commit(tree, [head], message, author, committer)
        move_ref(call.hub, call.actor, f"refs/heads/{branch}", head, sha)
    except GitError as error:
        raise ApiError(409, f"Could not {verb} file: {error}") from error
    written = git.at_path(sha, path)
    shown = _content_json(call, path, written, branch, listed=True) if written else None
    body = {"content": shown, "commit": git_commit_json(call.hub, commit_at(git, sha))}
    return Reply(body, 201 if present is None else 200)


def list_branches(call: Call) -> Reply:
    pairs = [(name.removeprefix("refs/heads/"), sha) for name, sha in call.hub.git.refs("refs/heads/")]
    if "protected" in call.query:
        wanted = call.query["protected"] == "true"
        pairs = [pair for pair in pairs if (pair[0] in call.hub.store.protections) == wanted]
    return paged(call, pairs, lambda pair: _short_branch(call, *pair))


def _short_branch(call: Call, name: str, sha: str) -> Json:
    protection = call.hub.store.protections.get(name)
    contexts = list(protection.required_checks) if protection else []
    return {
        "name": name,
        "commit": {"sha": sha, "url": f"{call.hub.api}/commits/{sha}"},
        "protected": protection is not None,
        "protection": {
            "enabled": protection is not None,
            "required_status_checks": {
                "enforcement_level": "everyone" if contexts else "off",
                "contexts": contexts,
                "checks": [{"context": context, "app_id": None} for context in contexts],
            },
        },
        "protection_url": f"{call.hub.api}/branches/{name}/protection",
    }


def get_branch(call: Call) -> Reply:
    name = call.params["branch"]
    sha = call.hub.git.branch(name)
    if sha is None:
        raise ApiError(404, "Branch not found")
    links = {"self": f"{call.hub.api}/branches/{name}", "html": f"{call.hub.html}/tree/{name}"}
    commit = commit_json(call.hub, commit_at(call.hub.git, sha))
    return Reply({**_short_branch(call, name, sha), "commit": commit, "_links": links})


def get_protection(call: Call) -> Reply:
    name = call.params["branch"]
    protection = call.hub.store.protections.get(name)
    if protection is None:
        raise ApiError(404, "Branch not protected" if is_ref_name(name) and call.hub.git.branch(name) else "Branch not found")
    url, contexts = f"{call.hub.api}/branches/{name}/protection", list(protection.required_checks)
    checks = {
        "url": f"{url}/required_status_checks",
        "strict": False,
        "contexts": contexts,
        "contexts_url": f"{url}/required_status_checks/contexts",
        "checks": [{"context": context, "app_id": None} for context in contexts],
    }
    reviews = {
        "url": f"{url}/required_pull_request_reviews",
        "dismiss_stale_reviews": False,
        "require_code_owner_reviews": False,
        "required_approving_review_count": 0,
    }
    off = {key: {"enabled": False} for key in ("allow_force_pushes", "allow_deletions", "required_linear_history", "block_creations")}
    body = {
        "url": url,
        "required_pull_request_reviews": reviews,
        "enforce_admins": {"url": f"{url}/enforce_admins", "enabled": True},
        **off,
    }
    return Reply({**body, "required_status_checks": checks} if contexts else body)


OPERATIONS: tuple[Operation, ...] = (
    operation("GET", "/commits", list_commits, "read", "contents"),
    operation("GET", "/commits/{ref:path}/pulls", pulls_of_commit, "read", "pull-requests"),
    operation("GET", "/compare/{basehead:path}", compare, "read", "contents"),
    operation("GET", "/contents/{path:path}", get_contents, "read", "contents"),
    operation("GET", "/contents", get_contents, "read", "contents"),
    operation("PUT", "/contents/{path:path}", put_contents, "write", "contents"),
    operation("DELETE", "/contents/{path:path}", delete_contents, "write", "contents"),
    operation("GET", "/branches", list_branches, "read", "contents"),
    operation("GET", "/branches/{branch:path}/protection", get_protection, "admin", "administration"),
    operation("GET", "/branches/{branch:path}", get_branch, "read", "contents"),
)
# Registered after every other /commits/… route: a branch name may hold slashes.
LAST_OPERATIONS: tuple[Operation, ...] = (operation("GET", "/commits/{ref:path}", get_commit, "read", "contents"),)
