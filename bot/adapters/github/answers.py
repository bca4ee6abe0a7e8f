"""GitHub's last answers by URL, kept so that asking again is conditional: an unchanged answer (304) costs no rate limit."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

CACHE_LIMIT_BYTES = 8 << 20
ANSWER_LIMIT_BYTES = 1 << 20  # one large answer must not push out all the others


@dataclass(frozen=True)
class Answer:
    """The bytes of an answer with its ETag. `more`: its Link header named a next page."""

    etag: str
    content: bytes
    more: bool


class AnswerCache:
    """One answer for each URL; the least recently used ones go first when `limit_bytes` are exceeded."""

    def __init__(self, limit_bytes: int = CACHE_LIMIT_BYTES, answer_limit_bytes: int = ANSWER_LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._answer_limit_bytes = answer_limit_bytes
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    def get(self, url: str) -> Answer | None:
        answer = self._answers.get(url)
        if answer is not None:
            self._answers.move_to_end(url)
        return answer

    def put(self, url: str, answer: Answer) -> None:
        self._drop(url)
        size_bytes = _size_bytes(url, answer)
        if not answer.etag or size_bytes > self._answer_limit_bytes:
            return
        self._answers[url] = answer
        self._size_bytes += size_bytes
        while self._size_bytes > self._limit_bytes:
            self._drop(next(iter(self._answers)))

    def _drop(self, url: str) -> None:
        old = self._answers.pop(url, None)
        if old is not None:
            self._size_bytes -= _size_bytes(url, old)


def _size_bytes(url: str, answer: Answer) -> int:
    return len(answer.content) + len(answer.etag) + len(url)
