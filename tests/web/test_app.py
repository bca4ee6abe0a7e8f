"""The rest of the application: the page, state and health, the door (Host, Origin, headers) and the demo's forwarding."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bot.errors import Refused
from tests.web.web_world import World, serving

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_and_its_files_are_served_where_relative_links_find_them() -> None:
    world = World()
    page = world.ask("GET", "/")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    assert page.text == (ROOT / "monitor" / "monitor.html").read_text() == world.ask("GET", "/monitor/").text
    for name in ("monitor.js", "monitor.css"):
        assert f'"{name}"' in page.text
        assert (
            world.ask("GET", f"/{name}").content == world.ask("GET", f"/monitor/{name}").content == (ROOT / "monitor" / name).read_bytes()
        )
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff" and page.headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path", ["/nothing", "/monitor/../pyproject.toml", "/monitor/%2e%2e/pyproject.toml", "/monitor/", "/docs", "/v1/traces/"]
)
def test_paths_never_become_files(path: str) -> None:
    answer = World().ask("GET", path)
    if path == "/monitor/":
        assert answer.status_code == 200
        return
    assert answer.status_code == 404 and set(answer.json()) == {"error", "do"}


def test_a_missing_page_is_told_before_the_start(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"monitor\.html"):
        World(monitor_dir=tmp_path)


def test_state_and_health_are_answered() -> None:
    world = World()
    world.state = {"repository": "acme/market", "services": []}
    assert world.ask("GET", "/api/state").json() == world.state
    health = world.ask("GET", "/healthz").json()
    assert health["status"] == "ok" and health["uptime_s"] == 5.0 and 10 < health["rss_mib"] < 1_000


def test_a_wrong_method_is_405_with_the_right_one() -> None:
    answer = World().ask("GET", "/webhooks/github")
    assert answer.status_code == 405 and answer.headers["allow"] == "POST" and "POST" in answer.json()["do"]
    assert World().ask("DELETE", "/").status_code == 405


def test_a_crash_inside_tells_nothing_of_the_inside() -> None:
    world = World()
    world.state = {"bad": float("nan")}
    answer = world.ask("GET", "/api/state")
    assert answer.status_code == 500 and answer.json() == {"error": "something failed inside", "do": "look at this process's log"}
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8001", 200),
        ("localhost", 200),
        ("LOCALHOST:9", 200),
        ("[::1]:8001", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost@evil.example", 421),
        ("localhost:8001:1", 421),
        ("", 421),
    ],
)
def test_only_known_names_are_answered(host: str, status: int) -> None:
    assert World().ask("GET", "/api/state", host=host).status_code == status
    assert World().ask("GET", "/healthz", host=host).status_code == 200, "a platform asks by a number"


def test_the_name_that_the_platform_gave_is_known() -> None:
    assert World({"RENDER_EXTERNAL_HOSTNAME": "sre.onrender.com"}).ask("GET", "/", host="sre.onrender.com").status_code == 200


@pytest.mark.parametrize("path", ["/v1/traces", "/webhooks/github", "/api/events", "/demo/inject-failure"])
@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:9999"}, {"Sec-Fetch-Site": "cross-site"}],
)
def test_a_page_of_another_origin_may_not_post(path: str, headers: dict[str, str]) -> None:
    world = World({"SRE_DEMO_CONTROLS_URL": "http://127.0.0.1:9", "SRE_ALLOWED_ORIGINS": "https://evil.example"})
    assert world.ask("POST", path, content=b"spans", headers={"Content-Type": "application/json", **headers}).status_code == 403
    assert world.spans.bodies == [] and world.wakes == []


def test_the_monitors_own_origin_may_post() -> None:
    headers = {"Content-Type": "application/json", "Origin": "http://127.0.0.1:8001", "Sec-Fetch-Site": "same-origin"}
    assert World().ask("POST", "/v1/traces", content=b"spans", headers=headers).status_code == 200


def test_only_listed_origins_may_read_from_elsewhere_and_only_state_and_feed() -> None:
    world = World({"SRE_ALLOWED_ORIGINS": "https://monitor.example"})
    ours, other = {"Origin": "https://monitor.example"}, {"Origin": "https://evil.example"}
    answer = world.ask("GET", "/api/state", headers=ours)
    assert answer.headers["access-control-allow-origin"] == "https://monitor.example" and "Origin" in answer.headers["vary"]
    assert "access-control-allow-origin" in world.ask("HEAD", "/feed", headers=ours).headers
    for path, headers in (("/api/state", other), ("/healthz", ours), ("/", ours), ("/api/events", ours)):
        assert "access-control-allow-origin" not in world.ask("GET", path, headers=headers).headers


@contextmanager
def controls(answer: Response) -> Iterator[tuple[str, list[tuple[bytes, str]]]]:
    """Engineering controls on a real socket that note what they are told."""
    told: list[tuple[bytes, str]] = []

    async def inject(request: Request) -> Response:
        told.append((request.scope["query_string"], request.headers.get("authorization", "")))
        return answer

    with serving(Starlette(routes=[Route("/lab/inject-failure", inject, methods=["POST"])])) as url:
        yield f"{url}/lab", told


def inject(answer: Response, query: str) -> tuple[Any, list[tuple[bytes, str]]]:
    with controls(answer) as (url, told):
        world = World({"SRE_DEMO_CONTROLS_URL": url, "SRE_DEMO_CONTROLS_TOKEN": "lab-token"})
        return world.ask("POST", f"/demo/inject-failure{query}"), told


def test_without_demo_mode_there_is_nothing_to_inject_with() -> None:
    for method in ("POST", "GET"):
        assert World().ask(method, "/demo/inject-failure?type=500").status_code == 404


def test_the_query_is_forwarded_unread_and_the_answer_passed_back() -> None:
    query = "type=no%2Fsuch&x=%3Cb%3E+1&type=2"
    answer, told = inject(JSONResponse({"error": "unknown fault"}, 422), f"?{query}")
    assert told == [(query.encode(), "Bearer lab-token")]
    assert (answer.status_code, answer.json()) == (422, {"error": "unknown fault"})


@pytest.mark.parametrize(
    "odd", [PlainTextResponse("<b>"), JSONResponse({}, 302, {"Location": "http://127.0.0.1:9/"}), PlainTextResponse("1" * 70_000)]
)
def test_an_unusable_answer_of_the_controls_is_not_passed_on(odd: Response) -> None:
    answer, _ = inject(odd, "?type=500")
    assert answer.status_code == 502 and "controls" in answer.json()["error"]


def test_controls_that_are_down_and_a_long_query_are_told_clearly() -> None:
    world = World({"SRE_DEMO_CONTROLS_URL": "http://127.0.0.1:9"})
    assert world.ask("POST", "/demo/inject-failure?type=500").status_code == 502
    assert world.ask("POST", "/demo/inject-failure?" + "x" * 2_000).status_code == 414


def test_the_application_loads_nothing_heavy() -> None:
    heavy = ("githubkit", "httpx", "google.protobuf", "chromadb", "langgraph", "openai", "bot.adapters")
    code = f"import sys, bot.web.app; print([name for name in {heavy} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"
