"""What GitHub's refusals, limits and silences become, and the pace of our writes."""

from __future__ import annotations

import asyncio
import re
import traceback

import httpx
import pytest

from bot.adapters.github import GitHubForge
from bot.adapters.github.transport import Transport
from bot.errors import Conflict, Missing, Refused, Retry
from tests.contract.grounds import SimulatedClock
from tests.contract.recorded_github import GitHub, answer, play, recorded


@pytest.mark.parametrize(
    ("name", "after_s"),
    [
        ("rate limit used up", 121.0),
        ("rate limit used up, reset already", 1.0),
        ("secondary limit with a time", 30.0),
        ("secondary limit without a time", 60.0),
        ("too many requests", 60.0),
        ("too many requests, nothing said", 60.0),
        ("too many requests, a date", 60.0),
        ("bad gateway", 5.0),
        ("a page, not JSON", 5.0),
        ("unavailable with a time", 20.0),
    ],
)
def test_what_may_work_later_says_when(name: str, after_s: float) -> None:
    async def story(g: GitHub) -> None:
        g.says("GET", "/issues/12", answer(name))
        g.says("POST", "/issues", answer(name))
        with pytest.raises(Retry) as told:
            await g.forge.issue(12)
        assert told.value.after_s == after_s
        await g.clock.sleep(after_s)
        with pytest.raises(Retry) as told:
            await g.forge.create_issue("t", "b", [])
        assert 1.0 <= told.value.after_s <= after_s

    play(story)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("not allowed", Refused, "Resource not accessible by personal access token"),
        ("bad credentials", Refused, "is the token valid"),
        ("not found", Missing, "may the token see it"),
        ("gone", Missing, "This issue was deleted"),
        ("moved head", Conflict, "Head branch was modified"),
        ("not mergeable", Conflict, "not mergeable"),
        ("rule violations", Conflict, "guardrail"),
        ("branch exists", Conflict, "Reference already exists"),
        ("pull request exists", Conflict, "already exists for acme:fix"),
        ("label exists", Conflict, "Label name already exists"),
        ("validation failed", Refused, "Validation Failed; PullRequest head invalid; and something else"),
        ("an odd body", Refused, "no message"),
    ],
)
def test_what_will_not_work_says_why(name: str, kind: type[Refused], words: str) -> None:
    async def story(g: GitHub) -> None:
        g.says("PUT", "/pulls/13/merge", answer(name))
        with pytest.raises(Refused, match=re.escape(words)) as told:
            await g.forge.merge(13, sha="b" * 40, title="t", message="m")
        assert type(told.value) is kind

    play(story)


def test_while_github_wants_quiet_nobody_asks_and_then_all_goes_on() -> None:
    async def story(g: GitHub) -> None:
        g.says("POST", "/issues/12/comments", answer("secondary limit with a time"))
        reading = g.says("GET", "/issues/12", httpx.Response(200, json=recorded("issue")))
        with pytest.raises(Retry):
            await g.forge.create_comment(12, "hello")
        await g.clock.sleep(10.0)
        with pytest.raises(Retry) as told:
            await g.forge.issue(12)
        assert (told.value.after_s, reading.call_count) == (20.0, 0)
        await g.clock.sleep(20.0)
        assert (await g.forge.issue(12)).number == 12

    play(story)


@pytest.mark.parametrize(
    "trouble", [httpx.ConnectError("no route"), httpx.ReadTimeout("slow"), httpx.ConnectTimeout(""), httpx.RemoteProtocolError("cut off")]
)
def test_a_network_in_trouble_is_tried_again(trouble: httpx.TransportError) -> None:
    async def story(g: GitHub) -> None:
        g.says("GET", "/issues/12", trouble)
        g.says("POST", "/issues/12/comments", trouble)
        with pytest.raises(Retry):
            await g.forge.issue(12)
        with pytest.raises(Retry):
            await g.forge.create_comment(12, "hello")

    play(story)


def test_a_token_that_cannot_be_sent_is_refused_and_not_told() -> None:
    async def story() -> None:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, Transport(token="ghp_stray\n", api_url=url, clock=SimulatedClock(), write_interval_s=0.0) as transport:
            with pytest.raises(Refused, match="stray characters") as told:
                await GitHubForge(transport, "acme/shop").issue(12)
            assert "ghp_" not in "".join(traceback.format_exception(told.value))

    asyncio.run(story())


def test_an_answer_that_is_not_json_is_tried_again() -> None:
    async def story(g: GitHub) -> None:
        g.says("GET", "/issues/12", httpx.Response(200, text="<html>Log in to the café's network</html>"))
        g.says("POST", "/issues/12/comments", httpx.Response(201, content=b"\xff\xfe"))
        with pytest.raises(Retry, match="not JSON"):
            await g.forge.issue(12)
        with pytest.raises(Retry, match="not JSON"):
            await g.forge.create_comment(12, "hello")

    play(story)


def test_writes_go_out_one_by_one_a_second_apart_and_reads_at_once() -> None:
    async def story(g: GitHub) -> None:
        sent: list[tuple[str, float]] = []

        def note(request: httpx.Request) -> httpx.Response:
            sent.append((request.method, g.clock.now()))
            return httpx.Response(200, json=recorded("comment") if request.method == "POST" else recorded("issue"))

        g.router.route().mock(side_effect=note)
        start_s = g.clock.now()
        await asyncio.gather(*[g.forge.create_comment(12, f"{n}") for n in range(3)], g.forge.issue(12))
        writes = [at_s - start_s for method, at_s in sent if method == "POST"]
        assert writes == [0.0, 1.0, 2.0]
        await g.clock.sleep(60.0)
        slept = len(g.clock.slept_s)
        await g.forge.create_comment(12, "much later")
        assert sum(g.clock.slept_s[slept:]) == 0.0

    play(story, write_interval_s=1.0)
