"""Webhooks: only GitHub's own wake anybody, and each only once."""

from __future__ import annotations

import json
from typing import Any

from bot.web.deployments import Deployment
from bot.web.signing import SeenIds, sign, verify
from tests.web.web_world import SECRET, World


def deliver(world: World, payload: Any, *, delivery: str = "d-1", event: str = "issues", **changed: str) -> tuple[int, Any]:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": sign(SECRET, body),
    }
    headers.update({name.replace("_", "-"): value for name, value in changed.items()})
    answer = world.ask("POST", "/webhooks/github", content=body, headers={name: value for name, value in headers.items() if value})
    return answer.status_code, answer.json()


OPENED = {"action": "opened", "issue": {"number": 12, "title": "x"}, "repository": {"full_name": "Acme/market"}}


def test_the_signature_is_githubs() -> None:
    expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert sign(SECRET, b"Hello, World!") == expected
    assert verify(SECRET, b"Hello, World!", expected)
    assert not verify(SECRET, b"Hello, World?", expected)
    assert not verify("", b"Hello, World!", sign("", b"Hello, World!"))
    assert not verify(SECRET, b"Hello, World!", "sha256=é")


def test_a_signed_delivery_wakes_once_and_its_replay_does_nothing() -> None:
    world = World()
    assert deliver(world, OPENED) == (202, {"status": "accepted"})
    assert deliver(world, OPENED) == (200, {"status": "already seen"})
    assert world.wakes == ["webhook issues.opened #12"]
    assert deliver(world, OPENED, delivery="d-2")[0] == 202
    assert len(world.wakes) == 2


def test_unsigned_and_tampered_deliveries_wake_nobody_and_do_not_use_up_the_id() -> None:
    world = World()
    for signature in ("", "sha256=00", sign("other", json.dumps(OPENED).encode()), sign(SECRET, b"{}")):
        status, answer = deliver(world, OPENED, X_Hub_Signature_256=signature)
        assert status == 401 and "SRE_WEBHOOK_SECRET" in answer["do"]
    assert world.wakes == []
    assert deliver(world, OPENED)[0] == 202


def test_without_a_secret_every_webhook_is_refused() -> None:
    world = World({"SRE_WEBHOOK_SECRET": ""})
    assert deliver(world, OPENED)[0] == 401
    assert deliver(world, OPENED, X_Hub_Signature_256=sign("", json.dumps(OPENED).encode()))[0] == 401
    assert world.wakes == []


def test_ping_is_answered_and_wakes_nobody() -> None:
    world = World()
    assert deliver(world, {"zen": "Design for failure."}, event="ping") == (200, {"status": "pong"})
    assert world.wakes == []


def test_another_repository_of_the_organisation_wakes_nobody() -> None:
    world = World()
    assert deliver(world, {**OPENED, "repository": {"full_name": "acme/other"}})[0] == 200
    assert world.wakes == []


def test_bodies_that_are_not_what_github_sends_are_refused() -> None:
    world = World()
    assert deliver(world, b"{")[0] == 400
    assert deliver(world, b"[" * 100_000)[0] == 400
    assert deliver(world, [1])[0] == 400
    assert deliver(world, OPENED, Content_Type="application/x-www-form-urlencoded")[0] == 415
    assert deliver(world, OPENED, event="Issues; rm")[0] == 400
    assert deliver(world, OPENED, delivery="")[0] == 400
    assert deliver(world, b"x" * (25 * 1024 * 1024 + 1))[0] == 413
    assert world.wakes == []


def test_the_reason_never_carries_free_text() -> None:
    world = World()
    deliver(world, {"action": "/sre approve", "issue": {"number": "12; x"}, "pull_request": ["y"]}, event="issue_comment")
    assert world.wakes == ["webhook issue_comment"]


def test_the_memory_of_deliveries_is_bounded() -> None:
    seen = SeenIds(limit=3)
    for item in "abcd":
        seen.add(item)
    assert "a" not in seen and "b" in seen and "d" in seen


def deployed(**changes: Any) -> dict[str, Any]:
    """What GitHub sends of a deployment (trimmed): https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_status."""
    status = {"id": 209916254, "state": "success", "environment": "production", "created_at": "2019-05-15T15:20:55Z"}
    deployment = {"id": 145988746, "sha": "f95f852bd8fca8fcc58a9a2d6c842781e32a215e", "ref": "main", "environment": "production"}
    status.update({key: value for key, value in changes.items() if key in status})
    deployment.update({key: value for key, value in changes.items() if key in deployment})
    return {"action": "created", "deployment_status": status, "deployment": deployment, "repository": {"full_name": "acme/market"}}


def test_a_deployment_that_succeeded_is_handed_on_and_wakes() -> None:
    seen: list[Deployment] = []
    world = World(deployed=seen.append)
    assert deliver(world, deployed(), event="deployment_status")[0] == 202
    assert seen == [Deployment("production", "f95f852bd8fca8fcc58a9a2d6c842781e32a215e", 1557933655.0)]
    assert world.wakes == ["webhook deployment_status.created"]


def test_what_is_under_way_failed_or_forged_is_no_deployment() -> None:
    seen: list[Deployment] = []
    world = World(deployed=seen.append)
    for i, odd in enumerate(
        (
            deployed(state="in_progress"),
            deployed(state="failure"),
            deployed(sha="main; rm -rf /"),
            deployed(environment="x" * 300),
            deployed(created_at="yesterday"),
            deployed(created_at="2019-05-15T15:20:55"),
            {"deployment_status": [], "deployment": "no"},
        )
    ):
        assert deliver(world, odd, event="deployment_status", delivery=f"d-{i}")[0] == 202
    assert deliver(world, deployed(), event="push", delivery="d-push")[0] == 202
    assert seen == []
