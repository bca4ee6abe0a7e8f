"""Announcing events: listeners of this process first, then every hook that wants it, signed, one attempt, never retried."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

import httpx

from bot.local.contracts import Listener, RepoEvent
from bot.local.github.hub import Hub
from bot.local.github.nouns import Delivery, Hook, Json

TIMEOUT_S = 10.0
_KEPT_DELIVERIES = 250
_KEPT_ANSWER = 4_096


@dataclass(frozen=True)
class Answer:
    """What a receiver said. `status_code` 0 means that it did not."""

    status_code: int
    status: str
    headers: Mapping[str, str]
    body: str


Deliver = Callable[[str, bytes, Mapping[str, str]], Awaitable[Answer]]


def signature(secret: str, body: bytes) -> str:
    """The value of X-Hub-Signature-256: HMAC-SHA256 over the raw body."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class HttpDeliver:
    """Posts deliveries with one lasting client."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, follow_redirects=False)

    async def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                response = await self._client.post(url, content=body, headers=dict(headers))
        except (TimeoutError, httpx.TimeoutException):
            return Answer(0, "timed out", {}, "")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Answer(0, f"failed to connect to host: {error}", {}, "")
        status = "OK" if response.is_success else f"Invalid HTTP Response: {response.status_code}"
        return Answer(response.status_code, status, dict(response.headers), response.text[:_KEPT_ANSWER])

    async def close(self) -> None:
        await self._client.aclose()


class Announcer:
    """Empties the hub's outbox in order on the server's event loop; deliveries run beside it, none waits for another."""

    def __init__(self, hub: Hub, deliver: Deliver | None, new_id: Callable[[], str]) -> None:
        self._hub = hub
        self._deliver = deliver
        self._own_deliver: HttpDeliver | None = None
        self._new_id = new_id
        self._listeners: list[Listener] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pump: asyncio.Task[None] | None = None
        self._deliveries: set[asyncio.Task[None]] = set()
        self.failures: list[BaseException] = []  # of listeners; `settled` raises the first

    def subscribe(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def kick(self) -> None:
        """Call on the event loop after something was put into the outbox."""
        self._loop = asyncio.get_running_loop()
        if self._hub.outbox and (self._pump is None or self._pump.done()):
            self._pump = asyncio.create_task(self._empty_outbox())

    def kick_from_anywhere(self) -> None:
        """As `kick`, from any thread; before the first request there is no loop yet, and the event waits for it."""
        try:
            self.kick()
        except RuntimeError:
            if self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self.kick)

    async def _empty_outbox(self) -> None:
        while self._hub.outbox:
            event = self._hub.outbox.popleft()
            for listener in self._listeners:
                await self._tell(listener, event)
            for hook in list(self._hub.store.hooks.values()):
                if hook.active and ("*" in hook.events or event.name in hook.events):
                    self.send(hook, event.name, event.action, event.payload)

    async def _tell(self, listener: Listener, event: RepoEvent) -> None:
        """One listener's failure must not keep the event from the others; it is kept and raised by `settled`."""
        (error,) = await asyncio.gather(listener(event), return_exceptions=True)
        if error is not None:
            self.failures.append(error)
            asyncio.get_running_loop().call_exception_handler({"message": f"a listener failed on {event.name}", "exception": error})

    def send(self, hook: Hook, event: str, action: str | None, payload: Json, *, guid: str | None = None) -> None:
        """Starts one delivery; with `guid`, a redelivery of that one."""
        task = asyncio.get_running_loop().create_task(self._attempt(hook, event, action, payload, guid))
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)

    async def _attempt(self, hook: Hook, event: str, action: str | None, payload: Json, guid: str | None) -> None:
        body = json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
        delivery_id = guid or self._new_id()
        headers = {
            "Content-Type": "application/json",
            "Accept": "*/*",
            "User-Agent": "GitHub-Hookshot/embedded",
            "X-GitHub-Delivery": delivery_id,
            "X-GitHub-Event": event,
            "X-GitHub-Hook-ID": str(hook.id),
            "X-GitHub-Hook-Installation-Target-ID": "1",
            "X-GitHub-Hook-Installation-Target-Type": "repository",
        }
        if hook.secret:
            headers["X-Hub-Signature-256"] = signature(hook.secret, body)
        if self._deliver is None:
            self._deliver = self._own_deliver = HttpDeliver()
        started = time.perf_counter()
        answer = await self._deliver(hook.url, body, headers)
        duration_s = round(time.perf_counter() - started, 3)
        with self._hub.lock:
            current = self._hub.store.hooks.get(hook.id)
            if current is None:
                return  # the hook was deleted meanwhile
            delivery = Delivery(
                id=self._hub.store.next_id(),
                guid=delivery_id,
                event=event,
                action=action,
                delivered_at=self._hub.clock(),
                redelivery=guid is not None,
                duration_s=duration_s,
                status=answer.status,
                status_code=answer.status_code,
                request_headers=headers,
                payload=payload,
                response_headers=answer.headers,
                response_body=answer.body,
            )
            self._hub.store.hooks[hook.id] = replace(current, deliveries=(delivery, *current.deliveries)[:_KEPT_DELIVERIES])

    async def settled(self) -> None:
        """Returns when every event is announced and every delivery ended; raises what a listener raised."""
        self.kick()
        while self._hub.outbox or self._deliveries or (self._pump and not self._pump.done()):
            self.kick()
            await asyncio.wait([*self._deliveries, *([self._pump] if self._pump else [])])
        if self.failures:
            raise self.failures.pop(0)

    async def close(self) -> None:
        """Ends what is under way; a delivery that had no answer yet is lost, as when GitHub gives one up."""
        tasks = [*self._deliveries, *([self._pump] if self._pump else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._own_deliver:
            await self._own_deliver.close()
