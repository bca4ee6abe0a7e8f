"""One GitHub with one repository: its records, its git, its addresses and the events that wait to be announced."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot.local.contracts import RepoEvent
from bot.local.github.git import Git, Identity
from bot.local.github.nouns import ACTIONS_LOGIN, Json, Store, User

WEB_FLOW = ("GitHub", "noreply@github.com")


@dataclass(frozen=True)
class Actor:
    """Who asks. `permissions` is what a job's token was given; None for a token with all of its user's rights."""

    user: User | None
    permissions: Json | None = None

    @property
    def login(self) -> str:
        return self.user.login if self.user else ""

    @property
    def is_job(self) -> bool:
        return self.permissions is not None

    @property
    def is_app(self) -> bool:
        return self.user is not None and self.user.kind == "Bot"


@dataclass
class Hub:
    """The state behind every route. Handlers run one at a time under `lock`."""

    owner: str
    name: str
    git: Git
    clock: Callable[[], float]
    default_branch: str = "main"
    web_url: str = "http://127.0.0.1"
    store: Store = field(default_factory=Store)
    outbox: deque[RepoEvent] = field(default_factory=deque)
    lock: threading.RLock = field(default_factory=threading.RLock)
    mergeable: dict[tuple[str, str], bool] = field(default_factory=dict)  # (base, head) -> merges cleanly; both ids never change meaning

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def api_root(self) -> str:
        return f"{self.web_url}/api/v3"

    @property
    def api(self) -> str:
        """The repository's own address in the API."""
        return f"{self.api_root}/repos/{self.full_name}"

    @property
    def html(self) -> str:
        return f"{self.web_url}/{self.full_name}"

    def emit(self, actor: Actor, name: str, action: str | None, payload: Json, *, always_starts: bool = False) -> None:
        """Queues an event; what a job's token did starts no workflow, the two dispatch events excepted (`always_starts`)."""
        self.outbox.append(RepoEvent(name, action, payload, actor.login, starts_workflows=always_starts or not actor.is_job))

    def add_user(self, login: str, permission: str, kind: str) -> User:
        known = self.store.users.get(login.lower())
        user = User(known.id if known else self.store.next_id(), login, permission, kind, self.clock())
        self.store.users[login.lower()] = user
        return user

    def user(self, login: str) -> User | None:
        return self.store.users.get(login.lower())

    def actions_actor(self) -> Actor:
        user = self.user(ACTIONS_LOGIN) or self.add_user(ACTIONS_LOGIN, "none", "Bot")
        return Actor(user, {})

    def identity(self, login: str, at_s: float | None = None) -> Identity:
        """Whom git names for that account: GitHub's no-reply address, so that the account can be found again."""
        user = self.user(login)
        email = f"{user.id}+{login}@users.noreply.github.com" if user else f"{login}@users.noreply.github.com"
        return Identity(login, email, git_time(self.clock() if at_s is None else at_s))

    def web_flow(self) -> Identity:
        return Identity(*WEB_FLOW, git_time(self.clock()))

    def account_of(self, identity: Identity) -> User | None:
        if not identity.email.endswith("@users.noreply.github.com"):
            return None
        return self.user(identity.email.split("@")[0].rpartition("+")[2])


def git_time(at_s: float) -> str:
    return f"{int(at_s)} +0000"


def iso(at_s: float) -> str:
    """GitHub's time format: 2026-11-23T09:08:00Z."""
    return datetime.fromtimestamp(int(at_s), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_or_none(at_s: float | None) -> str | None:
    return None if at_s is None else iso(at_s)


def iso_of(identity: Identity) -> str:
    return iso(float(identity.when.split(" ")[0]))


def parse_iso(text: str) -> float | None:
    """Unix seconds of an ISO 8601 time (UTC when it names no zone), or None."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
