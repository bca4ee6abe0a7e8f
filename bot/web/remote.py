"""An EventSink for jobs: posts what agents think to the always-on process's feed, signed, without ever failing or delaying the job."""

from __future__ import annotations

import contextlib
import json
import queue
import sys
import threading
from collections.abc import Callable
from typing import TextIO

from bot.codec import to_json
from bot.lean_httpx import httpx
from bot.model import Event
from bot.tls import trusted
from bot.web.signing import sign_post

BATCH = 50
QUEUE_EVENTS = 1_000
POST_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 5.0


class RemoteSink:
    """`say` returns at once; a thread posts in batches. The first failure is told once on `warnings`, and the rest is dropped.

    `nonce` gives a new random text of 16 to 64 letters, digits, `-` and `_` at each call; `clock` gives Unix seconds. Close it (or use
    it with `with`) before the job ends: that waits a few seconds at most for what is still to be sent.
    """

    def __init__(self, url: str, key: str, *, clock: Callable[[], float], nonce: Callable[[], str], warnings: TextIO = sys.stderr) -> None:
        self._url = url
        self._key = key
        self._clock = clock
        self._nonce = nonce
        self._warnings = warnings
        self._queue: queue.Queue[Event | None] = queue.Queue(QUEUE_EVENTS)
        self._dead = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._thread.start()

    def say(self, event: Event) -> None:
        if self._dead.is_set() or self._closed:
            return
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self._give_up("thoughts come faster than they can be sent")

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            if self._dead.is_set():
                return
            with contextlib.suppress(queue.Full):  # then the thread is stuck in a post, and is not waited for longer
                self._queue.put(None, timeout=CLOSE_TIMEOUT_S)
                self._thread.join(CLOSE_TIMEOUT_S)

    def __enter__(self) -> RemoteSink:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            with httpx.Client(timeout=POST_TIMEOUT_S, verify=trusted(self._url)) as client:
                more = True
                while more and not self._dead.is_set():
                    batch, more = self._next_batch()
                    if batch:
                        self._post(client, batch)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._give_up(f"{type(error).__name__}: {error}")

    def _next_batch(self) -> tuple[list[Event], bool]:
        """Waits for one event, then takes what else is there; False once the end was seen."""
        batch: list[Event] = []
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            if len(batch) == BATCH:
                return batch, True
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    def _post(self, client: httpx.Client, batch: list[Event]) -> None:
        body = json.dumps({"events": [to_json(event) for event in batch]}).encode()
        headers = sign_post(self._key, body, now_s=self._clock(), nonce=self._nonce())
        answer = client.post(self._url, content=body, headers={**headers, "Content-Type": "application/json"})
        answer.raise_for_status()

    def _give_up(self, why: str) -> None:
        if not self._dead.is_set():
            self._dead.set()
            print(f"warning: the feed does not take this job's thoughts, the job goes on without it ({why})", file=self._warnings)
