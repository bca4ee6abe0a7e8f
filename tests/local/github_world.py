"""A running embedded GitHub on a free port, with people of every permission, for the stories in test_github_*.py."""

from __future__ import annotations

import base64
import itertools
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from bot.local.contracts import RepoEvent
from bot.local.github import EmbeddedGitHub

SEED = {
    "README.md": "# shop\n",
    "app/quote.py": "".join(f"line {number}\n" for number in range(1, 21)),
    "app/text with space.txt": "hello\n",
}


@dataclass
class Now:
    """A clock that goes one second further with each look."""

    at_s: float = 1_790_000_000.0

    def __call__(self) -> float:
        self.at_s += 1
        return self.at_s


@dataclass
class World:
    github: EmbeddedGitHub
    client: httpx.AsyncClient
    first: str  # main's first commit
    events: list[RepoEvent] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)

    async def ask(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """`who` is a login, "" (nobody), or a token itself; `path` is below the repository."""
        token = self.tokens.get(who, who)
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        url = path if path.startswith("/api/") else f"/api/v3/repos/alice/shop{path}"
        return await self.client.request(
            method, url, json=body, headers={**({"Authorization": f"Bearer {token}"} if token else {}), **named}
        )

    async def do(self, who: str, method: str, path: str, body: Any = None) -> Any:
        """As `ask`, for what must succeed: the parsed answer."""
        answer = await self.ask(who, method, path, body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def commit(
        self, files: Mapping[str, str | None], *, parent: str | None = None, message: str = "change", who: str = "alice"
    ) -> str:
        """A commit through the git data API; None takes a file away."""
        base = await self.do(who, "GET", f"/git/commits/{parent or await self.tip()}")
        entries = [
            {"path": path, "mode": "100644", "type": "blob", **({"sha": None} if text is None else {"content": text})}
            for path, text in files.items()
        ]
        tree = await self.do(who, "POST", "/git/trees", {"base_tree": base["tree"]["sha"], "tree": entries})
        made = await self.do(who, "POST", "/git/commits", {"message": message, "tree": tree["sha"], "parents": [base["sha"]]})
        return str(made["sha"])

    async def tip(self, branch: str = "main") -> str:
        return str((await self.do("alice", "GET", f"/git/ref/heads/{branch}"))["object"]["sha"])

    async def branch(self, name: str, files: Mapping[str, str | None], *, message: str = "change", who: str = "alice") -> str:
        sha = await self.commit(files, message=message, who=who)
        await self.do(who, "POST", "/git/refs", {"ref": f"refs/heads/{name}", "sha": sha})
        return sha

    async def pull(self, name: str, files: Mapping[str, str | None], *, who: str = "alice", body: str = "", message: str = "change") -> Any:
        """A branch and its pull request to main, as `POST pulls` answers."""
        await self.branch(name, files, who=who, message=message)
        return await self.do(who, "POST", "/pulls", {"title": f"Change {name}", "body": body, "head": name, "base": "main"})

    async def heard(self) -> list[str]:
        """What was announced since the last call, as "name.action"."""
        await self.github.settled()
        names = [f"{event.name}.{event.action}" if event.action else event.name for event in self.events]
        self.events.clear()
        return names


def page_text(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return response.text


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """An ASGI application on a free port of the loopback; its address."""
    with socket.socket(
        socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
    ) as listening:  # named, or asyncio leaves Nagle on: 40 ms a call
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="warning", lifespan="off", access_log=False)
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        # Without `serve`, whose clock ticks every 0.1 s: a story would wait for it longer than it lasts.
        await server.startup(sockets=[listening])
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            for one in server.servers:
                one.close()


@asynccontextmanager
async def world(tmp_path: Path, *, clock: Callable[[], float] | None = None, rate_limit: int = 5_000) -> AsyncIterator[World]:
    numbers = itertools.count(1)
    github = EmbeddedGitHub(
        tmp_path / "github",
        owner="alice",
        name="shop",
        clock=clock or Now(),
        new_id=lambda: f"00000000-0000-4000-8000-{next(numbers):012d}",
        rate_limit=rate_limit,
    )
    people: Sequence[tuple[str, str]] = (("alice", "admin"), ("wendy", "write"), ("rita", "read"), ("nadia", "none"))
    for login, permission in people:
        github.add_user(login, permission)
    github.add_user("sre-space[bot]", "write", kind="Bot")
    write_files(tmp_path / "seed", SEED)
    first = github.seed(tmp_path / "seed", author="alice", message="first commit")
    async with served(github.app) as url, httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as client:
        github.bind(url)
        there = World(github, client, first)
        there.tokens = {login: github.issue_token(login) for login in ("alice", "wendy", "rita", "nadia", "sre-space[bot]")}

        async def listen(event: RepoEvent) -> None:
            there.events.append(event)

        github.subscribe(listen)
        try:
            yield there
        finally:
            await github.close()
