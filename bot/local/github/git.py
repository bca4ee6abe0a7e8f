"""The bare repository, driven by the git command line; reads go through one lasting `git cat-file --batch` process.

No configuration of the machine is read and no git identity is needed: authors come by environment.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ZERO = "0" * 40
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_SHA = re.compile(r"[0-9a-f]{40}")
_SHORT_SHA = re.compile(r"[0-9a-f]{7,39}")
_REF_NAME = re.compile(r"(?!.*(?:\.\.|//|@\{|\.lock(?:/|$)|/\.))[^\x00-\x20~^:?*\[\\\x7f/.@-][^\x00-\x20~^:?*\[\\\x7f]*(?<![/.])")


class GitError(RuntimeError):
    """git refused; the message is its standard error."""


@dataclass(frozen=True)
class GitObject:
    sha: str
    kind: str  # commit | tree | blob | tag
    content: bytes


@dataclass(frozen=True)
class Identity:
    """`when` is git's raw date: Unix seconds and an offset, "1700000000 +0000"."""

    name: str
    email: str
    when: str


def is_sha(text: str) -> bool:
    return _SHA.fullmatch(text) is not None


def is_ref_name(name: str) -> bool:
    """Whether `name` (a branch, or a full refs/… name) may be handed to git: git-check-ref-format's rules."""
    return _REF_NAME.fullmatch(name) is not None


def _environment(git_dir: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_DIR": str(git_dir),
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        "TZ": "UTC",
    }


ANSWERS_KEPT = 2_000  # of questions about commits, whose answers never change
ANSWER_LIMIT_BYTES = 16 * 1024  # a longer one is asked for again


class Git:
    """One bare repository. Safe to call from several threads; whoever moves refs serialises himself."""

    def __init__(self, git_dir: Path, executable: str = "git") -> None:
        self.git_dir = git_dir.resolve()
        self._git = executable
        self._environment = _environment(self.git_dir)
        self._reader: subprocess.Popen[bytes] | None = None
        self._reading = threading.Lock()
        self._answers: dict[tuple[str | bytes, ...], bytes] = {}

    def init(self, default_branch: str) -> None:
        self.git_dir.mkdir(parents=True, exist_ok=True)
        self.run("init", "--quiet", "--bare", "--template=", f"--initial-branch={default_branch}", str(self.git_dir))  # no sample hooks
        self.run("config", "gc.auto", "0")

    def run(self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None) -> bytes:
        """Standard output; raises GitError when git's exit code is not 0."""
        code, out, err = self.attempt(*arguments, stdin=stdin, environment=environment)
        if code != 0:
            raise GitError(f"git {arguments[0]}: {err.strip() or f'exit code {code}'}")
        return out

    def attempt(self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None) -> tuple[int, bytes, str]:
        """Exit code, standard output and standard error of one git command."""
        done = subprocess.run(
            [self._git, *arguments],
            input=stdin,
            capture_output=True,
            env={**self._environment, **(environment or {})},
            check=False,
        )
        return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")

    def ask(self, *arguments: str, stdin: bytes = b"", none: int = 0) -> bytes:
        """As `run`, for a question about commits and trees that are named by their ids alone: its answer stays true, and is kept.
        `none`: the exit code that says that there is none."""
        question: tuple[str | bytes, ...] = (*arguments, stdin)
        found = self._answers.get(question)
        if found is None:
            code, found, err = self.attempt(*arguments, stdin=stdin)
            if code not in (0, none):
                raise GitError(f"git {arguments[0]}: {err.strip() or f'exit code {code}'}")
            if len(found) <= ANSWER_LIMIT_BYTES:
                if len(self._answers) >= ANSWERS_KEPT:
                    self._answers.clear()
                self._answers[question] = found
        return found

    def look_up(self, name: str) -> GitObject | None:
        """The object that `name` means to git, or None. Callers pass only names that they built themselves."""
        with self._reading:
            reader = self._running_reader()
            assert reader.stdin is not None and reader.stdout is not None
            reader.stdin.write(name.encode() + b"\n")
            reader.stdin.flush()
            header = reader.stdout.readline().decode()
            if not header:
                raise GitError("git cat-file ended unexpectedly")
            parts = header.rsplit(" ", 2)
            if len(parts) != 3 or not is_sha(parts[0]):
                return None  # "<name> missing" or "<name> ambiguous"
            content = reader.stdout.read(int(parts[2]))
            reader.stdout.read(1)
        return GitObject(parts[0], parts[1], content)

    def _running_reader(self) -> subprocess.Popen[bytes]:
        if self._reader is None or self._reader.poll() is not None:
            self._reader = subprocess.Popen(
                [self._git, "cat-file", "--batch"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment,
            )
        return self._reader

    def close(self) -> None:
        with self._reading:
            if self._reader is None:
                return
            assert self._reader.stdin is not None and self._reader.stdout is not None
            self._reader.stdin.close()
            self._reader.stdout.close()
            self._reader.wait(timeout=5)
            self._reader = None

    # Names and objects

    def ref(self, full_name: str) -> str | None:
        """The object id that a full ref name (refs/…) holds."""
        if not full_name.startswith("refs/") or not is_ref_name(full_name):
            return None
        found = self.look_up(full_name)
        return found.sha if found else None

    def branch(self, name: str) -> str | None:
        return self.ref(f"refs/heads/{name}")

    def resolve(self, name: str) -> str | None:
        """A branch, tag, full ref or (short) commit id to the commit's id."""
        candidates = []
        if is_sha(name):
            candidates = [name]
        elif is_ref_name(name):
            candidates = [name] if name.startswith("refs/") else [f"refs/heads/{name}", f"refs/tags/{name}"]
            candidates += [name] if _SHORT_SHA.fullmatch(name) else []
        for candidate in candidates:
            found = self.look_up(f"{candidate}^{{commit}}")
            if found:
                return found.sha
        return None

    def object(self, sha: str, kind: str) -> bytes | None:
        """The content of the object `sha` when it exists and is of that kind."""
        found = self.look_up(sha) if is_sha(sha) else None
        return found.content if found and found.kind == kind else None

    def at_path(self, commit: str, path: str) -> GitObject | None:
        """The blob or tree at `path` in a commit; "" is the root tree."""
        if "\n" in path or not is_sha(commit):
            return None
        return self.look_up(f"{commit}:{path}")

    def refs(self, prefix: str) -> list[tuple[str, str]]:
        """(full name, object id) of every ref whose name begins with `prefix`, sorted by name."""
        out = self.run("for-each-ref", "--format=%(objectname) %(refname)").decode()
        pairs = [line.split(" ", 1) for line in out.splitlines()]
        return [(name, sha) for sha, name in pairs if name.startswith(prefix)]

    def move_refs(self, moves: Sequence[tuple[str, str, str]]) -> None:
        """(full name, new, old) each, all or nothing; ZERO as new deletes, as old demands that there be none."""
        lines = "".join(f"delete {ref} {old}\n" if new == ZERO else f"update {ref} {new} {old}\n" for ref, new, old in moves)
        self.run("update-ref", "--stdin", stdin=lines.encode())

    # Writing objects

    def write_blob(self, content: bytes) -> str:
        return self.run("hash-object", "-w", "--stdin", stdin=content).decode().strip()

    def write_commit(self, tree: str, parents: Sequence[str], message: str, author: Identity, committer: Identity) -> str:
        arguments = [argument for parent in parents for argument in ("-p", parent)]
        environment = {
            "GIT_AUTHOR_NAME": author.name,
            "GIT_AUTHOR_EMAIL": author.email,
            "GIT_AUTHOR_DATE": author.when,
            "GIT_COMMITTER_NAME": committer.name,
            "GIT_COMMITTER_EMAIL": committer.email,
            "GIT_COMMITTER_DATE": committer.when,
        }
        return self.run("commit-tree", tree, *arguments, stdin=message.encode(), environment=environment).decode().strip()

    # Ancestry

    def merge_base(self, one: str, other: str) -> str | None:
        return self.ask("merge-base", one, other, none=1).decode().strip() or None

    def is_ancestor(self, older: str, newer: str) -> bool:
        return self.merge_base(older, newer) == older

    def commits_between(self, excluded: Sequence[str], included: str, *, limit: int = 250) -> list[str]:
        """Commit ids reachable from `included` and from none of `excluded`, oldest first."""
        out = self.ask("rev-list", "--topo-order", f"--max-count={limit}", included, *[f"^{sha}" for sha in excluded])
        return out.decode().split()[::-1]
