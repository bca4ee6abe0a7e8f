"""Follows the control plane's feed over HTTP, as the monitor does: resumes after a loss, gives each thought once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import httpx

from bot.codec import from_json
from bot.model import Event
from bot.tls import trusted

RECONNECT_S = 0.3


class Follower:
    """`events` holds everything heard so far; `heard` is called with each."""

    def __init__(self, url: str, heard: Callable[[Event], None]) -> None:
        self._url = url
        self._heard = heard
        self._last = ""
        self.events: list[Event] = []

    async def run(self) -> None:
        """Until cancelled."""
        timeout = httpx.Timeout(5.0, read=60.0)
        async with httpx.AsyncClient(trust_env=False, timeout=timeout, verify=trusted(self._url)) as client:
            while True:
                try:
                    headers = {"Last-Event-ID": self._last} if self._last else {}
                    async with client.stream("GET", f"{self._url}/feed", headers=headers) as response:
                        await self._read(response)
                except httpx.HTTPError:
                    pass  # the control plane is being restarted: it is asked again
                await asyncio.sleep(RECONNECT_S)

    async def _read(self, response: httpx.Response) -> None:
        fields: dict[str, str] = {}
        async for line in response.aiter_lines():
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
                continue
            if fields.get("event") == "thought":
                self._last = fields.get("id", self._last)
                event = read_event(fields["data"])
                self.events.append(event)
                self._heard(event)
            fields = {}


def read_event(text: str) -> Event:
    """A thought as the feed sends it: `data` is an object there. Raises Refused when it is not one."""
    given = json.loads(text)
    return from_json(Event, {**given, "data": [[name, value] for name, value in given.get("data", {}).items()]})
