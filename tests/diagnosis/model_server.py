"""An OpenAI-compatible model server on loopback that answers as it is told and keeps what it was asked."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[dict[str, Any]], tuple[int, dict[str, str], str]]
GOOD: dict[str, Any] = {
    "cause": "A release broke pricing.",
    "ranking": [1, 2],
    "claims": [{"text": "KeyError is new.", "evidence": ["x1"]}, {"text": "It began with the deploy.", "evidence": ["d1", "x1"]}],
}


def completion(
    content: str, *, finish: str = "stop", refusal: str = "", used: tuple[int, int] | None = None
) -> tuple[int, dict[str, str], str]:
    message = {"role": "assistant", "content": content} | ({"refusal": refusal} if refusal else {})
    body: dict[str, Any] = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": finish, "message": message}],
    }
    if used is not None:
        body["usage"] = {"prompt_tokens": used[0], "completion_tokens": used[1], "total_tokens": sum(used)}
    return 200, {}, json.dumps(body)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Quiet about a client that has stopped waiting, as some tests want."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def server(*answers: Answer) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Answers the n-th request with the n-th answer (the last one for all further ones); yields its address and what it was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append({**question, "authorization": self.headers["authorization"]})
            status, headers, body = answers[min(len(asked), len(answers)) - 1](question)
            self.send_response(status)
            for name, value in {"content-type": "application/json", "content-length": str(len(body.encode())), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            return None

    web = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{web.server_port}/v1", asked
    finally:
        web.shutdown()
        thread.join()
        web.server_close()


def says(answer: object) -> Answer:
    return lambda question: completion(answer if isinstance(answer, str) else json.dumps(answer))


def raw(body: str) -> Answer:
    return lambda question: (200, {}, body)
