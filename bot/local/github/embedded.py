"""`EmbeddedGitHub` joins the parts: the repository, the web application, the events; what the laptop's platform sees of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from starlette.applications import Starlette

from bot.local.contracts import CheckRunUpdate, Listener, RepoEvent, WorkflowRuns
from bot.local.github import (
    access,
    app,
    checks,
    pages,
    routes_checks,
    routes_comments,
    routes_commits,
    routes_git,
    routes_hooks,
    routes_issues,
    routes_pages,
    routes_pulls,
    routes_repo,
)
from bot.local.github.git import EMPTY_TREE, ZERO, Git, is_sha
from bot.local.github.gitread import diff, list_tree
from bot.local.github.hub import Hub
from bot.local.github.nouns import ACTIONS_LOGIN, Protection, Token
from bot.local.github.page import View
from bot.local.github.routes_actions import ActionsRoutes
from bot.local.github.treewrite import write_folder
from bot.local.github.webhooks import Announcer, Deliver

_PERMISSIONS = ("admin", "write", "read", "none")


def _random_id() -> str:
    return str(uuid.uuid4())


class EmbeddedGitHub:
    """One GitHub with one repository. Satisfies `contracts.Repository`.

    `deliver` sends webhooks (by HTTP unless given), `new_id` makes delivery ids and tokens, `rate_limit` is requests an hour and token.
    """

    def __init__(
        self,
        root: Path,
        *,
        owner: str,
        name: str,
        clock: Callable[[], float],
        deliver: Deliver | None = None,
        new_id: Callable[[], str] = _random_id,
        rate_limit: int = app.RATE_LIMIT,
    ) -> None:
        git = Git(root / f"{name}.git")
        self._hub = Hub(owner, name, git, clock)
        self._new_id = new_id
        self._actions: WorkflowRuns | None = None
        self._announcer = Announcer(self._hub, deliver, new_id)
        git.init(self._hub.default_branch)
        self._hub.actions_actor()
        operations = (
            *routes_repo.OPERATIONS,
            *routes_git.OPERATIONS,
            *routes_checks.OPERATIONS,
            *routes_commits.OPERATIONS,
            *routes_commits.LAST_OPERATIONS,
            *routes_comments.OPERATIONS,
            *routes_issues.OPERATIONS,
            *routes_pulls.OPERATIONS,
            *routes_hooks.operations(self._announcer),
            *ActionsRoutes(lambda: self._actions).operations(),
        )
        routes = app.api_routes(self._hub, self._announcer, operations, rate_limit)
        self._app = app.build_app([*routes, *routes_pages.page_routes(self._hub, lambda: self._actions)])

    # Setting up

    def seed(self, tree: Path, *, author: str, message: str) -> str:
        """Commits the files below `tree` (without what its .gitignore names) as main's first commit; the commit's id."""
        git, ref = self._hub.git, f"refs/heads/{self.default_branch}"
        who = self._hub.identity(author)
        commit = git.write_commit(write_folder(git, tree), [], message, who, who)
        git.move_refs([(ref, commit, ZERO)])
        return commit

    def add_user(self, login: str, permission: str, *, kind: str = "User") -> None:
        """`permission`: admin, write, read or none. Kind "Bot" is a GitHub App's account (login "name[bot]")."""
        if permission not in _PERMISSIONS or kind not in ("User", "Bot"):
            raise ValueError(f"{login}: permission is one of {', '.join(_PERMISSIONS)}; kind is User or Bot")
        self._hub.add_user(login, permission, kind)

    def issue_token(self, login: str) -> str:
        """A token with all of that user's rights; what is done with it starts workflows. For a Bot, like an installation token."""
        user = self._hub.user(login)
        if user is None:
            raise LookupError(f"there is no user {login}")
        return self._save_token(Token(f"{'ghs' if user.kind == 'Bot' else 'ghp'}_{self._secret()}", user.login))

    def protect(self, branch: str, *, required_checks: Sequence[str]) -> None:
        """From now on the branch changes only by pull requests whose head has every required check green: for everybody."""
        self._hub.store.protections[branch] = Protection(tuple(required_checks))

    def set_actions(self, actions: WorkflowRuns) -> None:
        self._actions = actions

    def bind(self, web_url: str) -> None:
        """Says where the server can be reached; called once the port is known."""
        self._hub.web_url = web_url.rstrip("/")

    async def settled(self) -> None:
        """Returns when every event was announced and every webhook delivery ended. Raises what a listener raised."""
        await self._announcer.settled()

    async def close(self) -> None:
        await self._announcer.close()
        self._hub.git.close()

    @property
    def app(self) -> Starlette:
        return self._app

    def render_issue_page(self, number: int, *, standalone: bool) -> str:
        """The issue as an HTML document; standalone: links to nothing, to be kept as a file. Raises KeyError when there is none."""
        with self._hub.lock:
            return pages.issue_page(View(self._hub, standalone), self._hub.store.issues[number])

    def render_pull_page(self, number: int, *, standalone: bool) -> str:
        """The pull request as an HTML document, checks and diff included. Raises KeyError when there is none."""
        with self._hub.lock:
            return pages.pull_page(View(self._hub, standalone), self._hub.store.pulls[number])

    # contracts.Repository

    @property
    def full_name(self) -> str:
        return self._hub.full_name

    @property
    def default_branch(self) -> str:
        return self._hub.default_branch

    @property
    def git_dir(self) -> Path:
        return self._hub.git.git_dir

    @property
    def web_url(self) -> str:
        return self._hub.web_url

    @property
    def api_url(self) -> str:
        return self._hub.api_root

    def subscribe(self, listener: Listener) -> None:
        self._announcer.subscribe(listener)

    def resolve(self, ref: str) -> str | None:
        return self._hub.git.resolve(ref)

    def read_file(self, commit: str, path: str) -> bytes | None:
        found = self._hub.git.at_path(commit, path)
        return found.content if found and found.kind == "blob" else None

    def list_files(self, commit: str, prefix: str) -> Sequence[str]:
        """Paths of the files below a folder ("" for all), sorted as git sorts them."""
        folder = prefix.strip("/")
        found = self._hub.git.at_path(commit, folder)
        if found is None or found.kind != "tree":
            return []
        entries = list_tree(self._hub.git, found.sha, recursive=True)
        return [f"{folder}/{path}".lstrip("/") for path, entry, _ in entries if entry.kind == "blob"]

    def changed_paths(self, before: str | None, after: str) -> Sequence[str]:
        """Paths that differ between two commits, both names of a renamed file; every path when there is no `before`."""
        git = self._hub.git
        start = before if before and is_sha(before) and git.object(before, "commit") is not None else EMPTY_TREE
        commit = git.resolve(after)
        if commit is None:
            raise LookupError(f"there is no commit {after}")
        files = diff(git, start, commit if start != EMPTY_TREE else f"{commit}^{{tree}}", patches=False)
        return sorted({path for file in files for path in (file.path, file.previous_path) if path})

    def issue_job_token(self, permissions: Mapping[str, str], run_id: int) -> str:
        token = Token(f"ghs_{self._secret()}", ACTIONS_LOGIN, access.checked_permissions(permissions), run_id)
        return self._save_token(token)

    def revoke_token(self, token: str) -> None:
        with self._hub.lock:
            self._hub.store.tokens.pop(token, None)

    def report_check_run(self, check_run_id: int | None, update: CheckRunUpdate) -> int:
        with self._hub.lock:
            number = checks.from_actions(self._hub, check_run_id, update)
        self._announcer.kick_from_anywhere()
        return number

    async def announce(self, event: RepoEvent) -> None:
        """Queues an event behind those that wait already; listeners hear it first, then the webhooks."""
        self._hub.outbox.append(event)
        self._announcer.kick()

    def _save_token(self, token: Token) -> str:
        with self._hub.lock:
            self._hub.store.tokens[token.value] = token
        return token.value

    def _secret(self) -> str:
        return self._new_id().replace("-", "")
