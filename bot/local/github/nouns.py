"""What the embedded GitHub keeps in memory: frozen records, replaced as a whole when they change. Times are Unix seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

ACTIONS_LOGIN = "github-actions[bot]"


@dataclass(frozen=True)
class User:
    """An account. `kind` "Bot" is a GitHub App's account: its tokens act as an installation's do."""

    id: int
    login: str
    permission: str  # admin | write | read | none
    kind: str  # User | Bot
    created_at: float

    @property
    def slug(self) -> str:
        return self.login.removesuffix("[bot]")


@dataclass(frozen=True)
class Token:
    """`permissions` is None for a token with all of its user's rights, else what a job's token was given."""

    value: str
    login: str
    permissions: Mapping[str, str] | None = None
    run_id: int | None = None


@dataclass(frozen=True)
class Label:
    id: int
    name: str
    color: str
    description: str | None


@dataclass(frozen=True)
class Issue:
    """An issue, or the conversation half of a pull request (then `Pull` has the same number)."""

    id: int
    number: int
    title: str
    body: str | None
    author: str
    created_at: float
    updated_at: float
    state: str = "open"
    state_reason: str | None = None
    closed_at: float | None = None
    closed_by: str | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pull:
    """The git half of a pull request. `head_sha` follows pushes while it is open and stays when it is closed."""

    id: int
    number: int
    head: str
    base: str
    head_sha: str
    base_sha: str  # the base branch's tip when opened or last pushed to, and just before the merge
    draft: bool = False
    merged_at: float | None = None
    merged_by: str | None = None
    merge_commit_sha: str | None = None


@dataclass(frozen=True)
class Comment:
    id: int
    issue: int
    author: str
    body: str
    created_at: float
    updated_at: float


@dataclass(frozen=True)
class Reaction:
    """`subject` is ("issue", number) or ("comment", id)."""

    id: int
    subject: tuple[str, int]
    author: str
    content: str
    created_at: float


@dataclass(frozen=True)
class CheckRun:
    id: int
    app: str  # slug of the App that created it
    name: str
    head_sha: str
    status: str  # queued | in_progress | completed
    conclusion: str | None
    started_at: float | None
    completed_at: float | None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    details_url: str | None = None
    external_id: str = ""
    annotations: tuple[Json, ...] = ()


@dataclass(frozen=True)
class Delivery:
    id: int
    guid: str
    event: str
    action: str | None
    delivered_at: float
    redelivery: bool
    duration_s: float
    status: str
    status_code: int  # 0: no answer
    request_headers: Mapping[str, str]
    payload: Json
    response_headers: Mapping[str, str]
    response_body: str


@dataclass(frozen=True)
class Hook:
    id: int
    url: str
    secret: str | None
    events: tuple[str, ...]
    active: bool
    created_at: float
    updated_at: float
    deliveries: tuple[Delivery, ...] = ()  # newest first


@dataclass(frozen=True)
class Protection:
    """Binds everybody, admins and Apps too: changes come by pull request, with every required check green."""

    required_checks: tuple[str, ...]


@dataclass
class Store:
    """All records of one repository. The only mutable thing here; whoever writes holds the hub's lock."""

    users: dict[str, User] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)  # by lower-case name
    issues: dict[int, Issue] = field(default_factory=dict)
    pulls: dict[int, Pull] = field(default_factory=dict)
    comments: dict[int, Comment] = field(default_factory=dict)
    reactions: dict[int, Reaction] = field(default_factory=dict)
    check_runs: dict[int, CheckRun] = field(default_factory=dict)
    hooks: dict[int, Hook] = field(default_factory=dict)
    protections: dict[str, Protection] = field(default_factory=dict)
    last_id: int = 1000
    last_number: int = 0

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id

    def next_number(self) -> int:
        """Issues and pull requests share one sequence, as on GitHub."""
        self.last_number += 1
        return self.last_number

    def comments_of(self, number: int) -> list[Comment]:
        return [comment for comment in self.comments.values() if comment.issue == number]

    def reactions_to(self, subject: tuple[str, int]) -> list[Reaction]:
        return [reaction for reaction in self.reactions.values() if reaction.subject == subject]

    def open_pulls(self) -> list[Pull]:
        return [pull for pull in self.pulls.values() if self.issues[pull.number].state == "open"]

    def label_named(self, name: str) -> Label | None:
        return self.labels.get(name.lower())
