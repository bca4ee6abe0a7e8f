"""`POST /api/events`: the thoughts that jobs post, signed, fresh and not seen before; their text is data and bounded."""

from __future__ import annotations

import json
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bot.codec import from_json
from bot.errors import Refused
from bot.model import Event
from bot.web.answers import Declined, Endpoint
from bot.web.body import read_body
from bot.web.parts import WebParts
from bot.web.signing import MAX_SKEW_S, SeenIds, verify_post

MAX_BODY_BYTES = 256 * 1024
MAX_EVENTS = 100
MAX_TEXT = 2_000
MAX_INCIDENT = 80
MAX_DATA = 32
MAX_DATA_KEY = 64
MAX_DATA_VALUE = 500
AGENTS = frozenset({"scout", "cag", "brain", "guardrail", "fixer", "verifier", "curator", "jules", "human", "loop"})


def job_events_endpoint(parts: WebParts) -> Endpoint:
    seen = SeenIds()

    async def job_events(request: Request) -> Response:
        if not parts.settings.feed_key:
            raise Declined(401, "no key to verify events with", "set SRE_FEED_KEY here and in the jobs' environment")
        body = await read_body(request, MAX_BODY_BYTES)
        try:
            nonce = verify_post(parts.settings.feed_key, body, request.headers, now_s=parts.clock.now())
        except Refused as refused:
            raise Declined(401, str(refused), "sign with SRE_FEED_KEY, at the time of sending") from refused
        if nonce in seen:
            raise Declined(409, "this was posted already", "sign each post with a nonce of its own")
        events = read_events(body, now_s=parts.clock.now())
        seen.add(nonce)
        for event in events:
            parts.feed.say(event)
        return JSONResponse({"status": "accepted", "events": len(events)}, status_code=202)

    return job_events


def read_events(body: bytes, *, now_s: float) -> tuple[Event, ...]:
    """`{"events": [...]}` as checked, bounded events. All or none: Declined (400) names what is wrong."""
    try:
        data = json.loads(body, parse_constant=_no_constant)
        items = data["events"] if isinstance(data, dict) and set(data) == {"events"} else None
        if not isinstance(items, list) or len(items) > MAX_EVENTS:
            raise Refused(f'expected {{"events": [...]}} with at most {MAX_EVENTS} events')
        return tuple(_bounded(from_json(Event, item), now_s) for item in items)
    except Refused as refused:
        raise Declined(400, str(refused), "post events as bot.web.remote does") from refused
    except (ValueError, RecursionError):
        raise Declined(400, "the body is not JSON", "post events as bot.web.remote does") from None


def _no_constant(name: str) -> float:
    raise Refused(f"{name} is not a JSON number")


def _bounded(event: Event, now_s: float) -> Event:
    if event.agent not in AGENTS:
        raise Refused(f"Event.agent: expected one of {', '.join(sorted(AGENTS))}")
    if abs(event.at_s - now_s) > 2 * MAX_SKEW_S:
        raise Refused("Event.at_s: is not a time near now")
    data = tuple((_line(key, MAX_DATA_KEY), _line(value, MAX_DATA_VALUE)) for key, value in event.data[:MAX_DATA])
    return replace(event, incident=_line(event.incident, MAX_INCIDENT), text=_line(event.text, MAX_TEXT), data=data, id=0)


def _line(text: str, limit: int) -> str:
    """One printable line of at most `limit` characters: control characters could speak to a terminal."""
    line = "".join(char if char.isprintable() else " " for char in text)
    return line if len(line) <= limit else line[: limit - 1] + "…"
