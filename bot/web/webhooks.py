"""GitHub's webhooks: verified, de-duplicated, answered at once; what they carry only says where to look, and what was deployed."""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.web.answers import Declined, Endpoint
from bot.web.body import read_body
from bot.web.deployments import deployment_of
from bot.web.parts import WebParts
from bot.web.signing import SeenIds, verify

MAX_BODY_BYTES = 25 * 1024 * 1024  # GitHub sends no more
_WORD = re.compile(r"[a-z][a-z_]{0,49}")
_DELIVERY = re.compile(r"[A-Za-z0-9-]{1,64}")


def webhook_endpoint(parts: WebParts) -> Endpoint:
    seen = SeenIds()

    async def webhook(request: Request) -> Response:
        if not parts.settings.webhook_secret:
            raise Declined(401, "webhooks are refused: there is no secret to verify them with", "set SRE_WEBHOOK_SECRET")
        body = await read_body(request, MAX_BODY_BYTES)
        if not verify(parts.settings.webhook_secret, body, request.headers.get("x-hub-signature-256")):
            raise Declined(401, "the signature is missing or wrong", "give the webhook the same secret as SRE_WEBHOOK_SECRET")
        event, delivery = request.headers.get("x-github-event", ""), request.headers.get("x-github-delivery", "")
        if not _WORD.fullmatch(event) or not _DELIVERY.fullmatch(delivery):
            raise Declined(400, "X-GitHub-Event or X-GitHub-Delivery is missing or malformed", "send what GitHub sends")
        if delivery in seen:
            return JSONResponse({"status": "already seen"})
        payload = _payload(request, body)
        seen.add(delivery)
        if event == "ping":
            return JSONResponse({"status": "pong"})
        if not _is_ours(payload, parts.settings.repository):
            return JSONResponse({"status": "ignored: another repository"})
        deployment = deployment_of(event, payload, parts.clock.now())
        if deployment is not None:
            parts.deployed(deployment)
        parts.wake(wake_reason(event, payload))
        return JSONResponse({"status": "accepted"}, status_code=202)

    return webhook


def wake_reason(event: str, payload: dict[str, Any]) -> str:
    """«webhook issues.opened #12»: from known shapes only, never free text of the payload."""
    action = payload.get("action")
    subject = payload.get("pull_request") or payload.get("issue")
    number = subject.get("number") if isinstance(subject, dict) else None
    reason = f"webhook {event}"
    if isinstance(action, str) and _WORD.fullmatch(action):
        reason += f".{action}"
    if isinstance(number, int):
        reason += f" #{number}"
    return reason


def _payload(request: Request, body: bytes) -> dict[str, Any]:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise Declined(415, "webhooks are taken as JSON only", "set the webhook's content type to application/json")
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise Declined(400, "the body is not JSON", "send what GitHub sends") from None
    if not isinstance(payload, dict):
        raise Declined(400, "the body is not a JSON object", "send what GitHub sends")
    return payload


def _is_ours(payload: dict[str, Any], repository: str) -> bool:
    """An organisation's webhook speaks of all its repositories."""
    named = payload.get("repository")
    full_name = named.get("full_name") if isinstance(named, dict) else None
    return not isinstance(full_name, str) or not repository or full_name.lower() == repository.lower()
