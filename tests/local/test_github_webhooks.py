"""Stories about webhooks of the embedded GitHub: signed, delivered once, kept in a list, redelivered on request."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.local.contracts import RepoEvent
from bot.local.github.webhooks import signature
from tests.local.github_world import World, served, world

SECRET = "not a secret to everybody"


@dataclass
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def payload(self) -> Any:
        return json.loads(self.body)

    def is_signed(self, secret: str) -> bool:
        expected = "sha256=" + hmac.new(secret.encode(), self.body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected, self.headers["x-hub-signature-256"])


@dataclass
class Receiver:
    url: str = ""
    got: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)  # status codes to answer with, then 204


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    there = Receiver()

    async def take(request: Request) -> Response:
        there.got.append(Received(dict(request.headers), await request.body()))
        return Response(status_code=there.answers.pop(0) if there.answers else 204)

    async with served(Starlette(routes=[Route("/hook", take, methods=["POST"])])) as url:
        there.url = f"{url}/hook"
        yield there


async def hook(w: World, url: str, *events: str) -> int:
    body = {"name": "web", "config": {"url": url, "content_type": "json", "secret": SECRET}, "events": list(events)}
    return int((await w.do("alice", "POST", "/hooks", body))["id"])


def test_signature_is_githubs() -> None:
    """The vector of GitHub's documentation."""
    expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert signature("It's a Secret to Everybody", b"Hello, World!") == expected


def test_hook_gets_the_events_it_wants_signed_with_an_id(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w, receiver() as there:
            await hook(w, there.url, "issues", "issue_comment")
            await w.do("wendy", "POST", "/issues", {"title": "Ünsafe <!-- title -->"})
            await w.pull("fix", {"a.txt": "1"})
            await w.do("rita", "POST", "/issues/1/comments", {"body": "hello"})
            await w.github.settled()
            assert sorted(one.headers["x-github-event"] for one in there.got) == ["issue_comment", "issues"]
            assert all(one.is_signed(SECRET) for one in there.got) and not any(one.is_signed("other") for one in there.got)
            assert len({one.headers["x-github-delivery"] for one in there.got}) == 2
            issues = next(one for one in there.got if one.headers["x-github-event"] == "issues")
            assert issues.headers["user-agent"].startswith("GitHub-Hookshot/")
            assert (issues.payload["action"], issues.payload["issue"]["title"], issues.payload["sender"]["login"]) == (
                "opened",
                "Ünsafe <!-- title -->",
                "wendy",
            )
            assert issues.payload["repository"]["full_name"] == "alice/shop"

    asyncio.run(story())


def test_failed_delivery_is_recorded_not_retried_and_redelivered_with_the_same_id(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w, receiver() as there:
            number = await hook(w, there.url, "*")
            there.answers = [500]
            await w.do("alice", "POST", "/issues", {"title": "t"})
            await w.github.settled()
            assert len(there.got) == 1
            (failed,) = await w.do("alice", "GET", f"/hooks/{number}/deliveries")
            assert (failed["status_code"], failed["event"], failed["action"], failed["redelivery"]) == (500, "issues", "opened", False)

            answer = await w.ask("alice", "POST", f"/hooks/{number}/deliveries/{failed['id']}/attempts")
            assert answer.status_code == 202
            await w.github.settled()
            assert [one.headers["x-github-delivery"] for one in there.got] == [failed["guid"]] * 2
            assert there.got[0].body == there.got[1].body
            newest = (await w.do("alice", "GET", f"/hooks/{number}/deliveries"))[0]
            assert (newest["status_code"], newest["redelivery"], newest["guid"]) == (204, True, failed["guid"])
            whole = await w.do("alice", "GET", f"/hooks/{number}/deliveries/{newest['id']}")
            assert whole["request"]["payload"]["issue"]["number"] == 1

    asyncio.run(story())


def test_receiver_that_is_gone_does_not_hold_up_the_api(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            number = await hook(w, "http://127.0.0.1:1/hook", "*")
            assert (await w.ask("alice", "POST", "/issues", {"title": "t"})).status_code == 201
            await w.github.settled()
            (failed,) = await w.do("alice", "GET", f"/hooks/{number}/deliveries")
            assert failed["status_code"] == 0 and failed["status"].startswith("failed to connect")

    asyncio.run(story())


def test_secret_is_never_shown_and_only_admins_see_hooks(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w, receiver() as there:
            number = await hook(w, there.url, "push")
            answers = [await w.ask("alice", "GET", path) for path in ("/hooks", f"/hooks/{number}")]
            assert all(SECRET not in answer.text and "********" in answer.text for answer in answers)
            assert (await w.ask("wendy", "GET", f"/hooks/{number}")).status_code == 403
            double = {"config": {"url": there.url, "content_type": "json"}, "events": ["push"]}
            assert (await w.ask("alice", "POST", "/hooks", double)).status_code == 422
            for config in ({"url": "file:///etc/passwd", "content_type": "json"}, {"url": there.url}, None):
                assert (await w.ask("alice", "POST", "/hooks", {"config": config, "events": ["push"]})).status_code == 422
            await w.do("alice", "POST", f"/hooks/{number}/pings")
            await w.github.settled()
            assert [one.headers["x-github-event"] for one in there.got] == ["ping"]
            await w.do("alice", "DELETE", f"/hooks/{number}")
            await w.branch("topic", {"a.txt": "1"})
            await w.github.settled()
            assert len(there.got) == 1

    asyncio.run(story())


def test_listeners_hear_every_event_in_order_before_the_hooks(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w, receiver() as there:
            await hook(w, there.url, "*")
            order: list[str] = []

            async def slow(event: RepoEvent) -> None:
                await asyncio.sleep(0.02)
                order.append(f"{event.name} {len(there.got)}")
                if event.name == "issues":
                    await w.github.announce(RepoEvent("workflow_run", "requested", {"action": "requested"}, "github-actions[bot]"))

            w.github.subscribe(slow)
            await w.do("alice", "POST", "/issues", {"title": "t"})
            await w.github.settled()
            assert order[0] == "issues 0" and order[1].startswith("workflow_run")
            assert sorted(one.headers["x-github-event"] for one in there.got) == ["issues", "workflow_run"]

    asyncio.run(story())
