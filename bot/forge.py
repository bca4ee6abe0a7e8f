"""What we see of GitHub: the nouns of the Forge port, each the part of GitHub's answer that somebody here reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Account:
    login: str
    is_bot: bool


@dataclass(frozen=True)
class Issue:
    number: int
    title: str
    body: str
    author: str
    state: Literal["open", "closed"]
    labels: tuple[str, ...]
    created_s: float
    closed_s: float | None = None
    is_pull: bool = False
    reopened: bool = False  # open again after it was closed: somebody wants it open
    updated_s: float = 0.0  # also by a comment under it; 0.0: not told


@dataclass(frozen=True)
class Comment:
    id: int
    issue: int  # the issue or pull request that it stands under
    author: str
    author_is_bot: bool
    body: str
    created_s: float
    updated_s: float


@dataclass(frozen=True)
class Pull:
    number: int
    title: str
    body: str
    author: str
    branch: str
    head_sha: str
    base_branch: str
    state: Literal["open", "closed", "merged"]
    merge_sha: str  # "" until merged
    merged_by: str  # "" when unknown (GitHub leaves it out of lists)
    labels: tuple[str, ...]
    created_s: float
    closed_s: float | None = None
    mergeable: bool | None = None  # None: GitHub has not worked it out, or was not asked (lists)
    updated_s: float = 0.0  # as of an issue


@dataclass(frozen=True)
class ChangedFile:
    path: str
    status: Literal["added", "modified", "removed", "renamed"]
    additions: int
    deletions: int
    previous_path: str = ""
    patch: str = ""  # may be missing for large files: never rely on it


@dataclass(frozen=True)
class Commit:
    sha: str
    message: str
    author_login: str  # "" when GitHub knows no account
    author_name: str
    committed_s: float
    parents: tuple[str, ...]
    files: tuple[ChangedFile, ...] = ()  # only when asked for one commit
    tree: str = ""


@dataclass(frozen=True)
class Comparison:
    status: Literal["identical", "ahead", "behind", "diverged"]  # of head, seen from base
    commits: tuple[Commit, ...]  # what head has and base has not, oldest first


@dataclass(frozen=True)
class WorkflowRun:
    id: int
    path: str  # ".github/workflows/guardrail.yml"
    title: str  # display_title: from run-name
    event: str
    head_sha: str
    status: str  # queued | in_progress | completed | …
    conclusion: str  # "" until completed
    attempt: int
    created_s: float
    url: str = ""


@dataclass(frozen=True)
class CheckRun:
    name: str
    head_sha: str
    status: str
    conclusion: str
    app: str  # slug of the app that made it
    url: str = ""


@dataclass(frozen=True)
class Reaction:
    content: str
    author: str
