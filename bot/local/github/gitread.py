"""What git's raw objects and diffs say: commits, trees, changed files. Parsing only; `Git` does the talking."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.local.github.git import EMPTY_TREE, ZERO, Git, Identity

_SIGNATURE = re.compile(r"(?P<name>.*?) ?<(?P<email>[^>]*)> (?P<when>-?\d+ [+-]\d{4})")
_STATUS = {"A": "added", "M": "modified", "D": "removed", "R": "renamed", "C": "copied", "T": "changed"}
_PATCH_LIMIT = 200_000


@dataclass(frozen=True)
class Commit:
    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Identity
    committer: Identity
    message: str


@dataclass(frozen=True)
class TreeEntry:
    mode: str
    name: str
    sha: str

    @property
    def kind(self) -> str:
        return {"040000": "tree", "160000": "commit"}.get(self.mode, "blob")


@dataclass(frozen=True)
class FileChange:
    """`patch` is the hunks alone, as GitHub gives them; None for a binary or very large change."""

    path: str
    previous_path: str | None
    status: str  # added | removed | modified | renamed | copied | changed
    sha: str
    additions: int
    deletions: int
    patch: str | None


def parse_identity(line: str) -> Identity:
    found = _SIGNATURE.fullmatch(line)
    if found is None:
        return Identity(line, "", "0 +0000")
    return Identity(found["name"], found["email"], found["when"])


def read_commit(git: Git, sha: str) -> Commit | None:
    raw = git.object(sha, "commit")
    if raw is None:
        return None
    head, _, message = raw.decode("utf-8", "replace").partition("\n\n")
    fields: dict[str, list[str]] = {}
    for line in head.split("\n"):
        key, _, value = line.partition(" ")
        fields.setdefault(key, []).append(value)
    return Commit(
        sha=sha,
        tree=fields["tree"][0],
        parents=tuple(fields.get("parent", ())),
        author=parse_identity(fields["author"][0]),
        committer=parse_identity(fields["committer"][0]),
        message=message.removesuffix("\n"),
    )


def commit_at(git: Git, sha: str) -> Commit:
    """The commit, which the caller knows to exist."""
    commit = read_commit(git, sha)
    if commit is None:
        raise LookupError(f"there is no commit {sha}")
    return commit


def read_tree(git: Git, sha: str) -> list[TreeEntry] | None:
    raw = git.object(sha, "tree")
    if raw is None:
        return [] if sha == EMPTY_TREE else None
    entries = []
    position = 0
    while position < len(raw):
        space, end = raw.index(b" ", position), raw.index(b"\0", position)
        mode = raw[position:space].decode().rjust(6, "0")
        entries.append(TreeEntry(mode, raw[space + 1 : end].decode("utf-8", "replace"), raw[end + 1 : end + 21].hex()))
        position = end + 21
    return entries


def list_tree(git: Git, sha: str, *, recursive: bool) -> list[tuple[str, TreeEntry, int | None]]:
    """Path, entry and size (of a file) of what a tree holds; directories come before what they hold."""
    out = git.ask("ls-tree", "-z", "-l", *(["-r", "-t"] if recursive else []), sha).decode("utf-8", "replace")
    found = []
    for line in out.removesuffix("\0").split("\0") if out else ():
        facts, _, path = line.partition("\t")
        mode, _, entry_sha, size = facts.split()
        found.append((path, TreeEntry(mode, path.rpartition("/")[2], entry_sha), None if size == "-" else int(size)))
    return found


def diff(git: Git, before: str, after: str, *, patches: bool = True) -> list[FileChange]:
    """The files that differ between two commits or trees, renames found, in path order."""
    arguments = ["diff-tree", "-r", "-M", "--raw", "--numstat", "-z", "--full-index", "--no-color", *(["-p"] if patches else [])]
    out = git.ask(*arguments, before, after)
    if not out:
        return []
    listing, _, patch_text = out.partition(b"\0\0diff --git ") if patches else (out.removesuffix(b"\0"), b"", b"")
    tokens = iter(listing.decode("utf-8", "replace").split("\0"))
    raw: list[tuple[str, str, str | None, str]] = []  # letter, path, previous path, blob
    counts: list[tuple[int, int]] = []
    for token in tokens:
        if token.startswith(":"):
            _, _, old_sha, new_sha, letter = token.split(" ")
            path, previous = next(tokens), None
            if letter[0] in "RC":
                previous, path = path, next(tokens)
            raw.append((letter[0], path, previous, old_sha if new_sha == ZERO else new_sha))
        elif token:
            added, removed, path = token.split("\t", 2)
            if not path:  # a rename: the two paths follow
                next(tokens)
                next(tokens)
            counts.append((int(added) if added != "-" else 0, int(removed) if removed != "-" else 0))
    hunks = _hunks(patch_text.decode("utf-8", "replace"), [letter for letter, *_ in raw]) if patch_text else [None] * len(raw)
    return [
        FileChange(path, previous, _STATUS.get(letter, "changed"), sha, count[0], count[1], hunk)
        for (letter, path, previous, sha), count, hunk in zip(raw, counts, hunks, strict=True)
    ]


def _hunks(text: str, letters: Sequence[str]) -> list[str | None]:
    """One entry per changed file; a change of type is written by git as two sections."""
    sections = iter(re.split(r"^diff --git ", text, flags=re.MULTILINE))
    found: list[str | None] = []
    for letter in letters:
        texts = [next(sections, "") for _ in range(2 if letter == "T" else 1)]
        starts = [section.find("\n@@ ") for section in texts]
        hunk = "\n".join(section[start + 1 :].removesuffix("\n") for section, start in zip(texts, starts, strict=True) if start >= 0)
        found.append(hunk if hunk and len(hunk) <= _PATCH_LIMIT else None)
    return found


def names_changed(git: Git, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], dict[str, list[str]]]:
    """For pairs of trees: which paths were added, removed and modified. One git process for all of them."""
    found: dict[tuple[str, str], dict[str, list[str]]] = {pair: {"added": [], "removed": [], "modified": []} for pair in pairs}
    if not pairs:
        return found
    stdin = "".join(f"{before} {after}\n" for before, after in found)
    tokens = iter(git.ask("diff-tree", "--stdin", "-r", "--name-status", "-z", stdin=stdin.encode()).decode("utf-8", "replace").split("\0"))
    current: dict[str, list[str]] = {}
    for token in tokens:
        header, newline, letter = token.rpartition("\n")
        if newline:
            before, after = header.split(" ")
            current = found[before, after]
        if letter:
            key = {"A": "added", "D": "removed"}.get(letter[0], "modified")
            current[key].append(next(tokens))
    return found


def history(git: Git, start: str, *, path: str = "", since: str = "", until: str = "", limit: int = 1000) -> list[str]:
    """Commit ids reachable from `start`, newest first; `since` and `until` are ISO 8601 or Unix times."""
    arguments = [f"--max-count={limit}"]
    arguments += [f"--since={since}"] if since else []
    arguments += [f"--until={until}"] if until else []
    return git.run("rev-list", *arguments, start, "--", *([f":(literal){path}"] if path else [])).decode().split()
