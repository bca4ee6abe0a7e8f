"""The head of an export request, parsed once: exporters send the same bytes every time, all but the digits of Content-Length."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import httptools

HEAD_END: Final = b"\r\n\r\n"
HEAD_BYTES: Final = 8 * 1024  # of the heads that are known by their bytes; longer ones are the server's business
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,7})[ \t]*(?=\r\n)", re.IGNORECASE)
_NEVER: Final = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"connection", b"trailer"})
_KEEP_ALIVE: Final = (b"connection", b"keep-alive")


@dataclass(frozen=True, slots=True)
class Head:
    """A POST over HTTP/1.1 with a Content-Length that leaves the connection open. `before` and `after`: its bytes around the digits."""

    path: bytes
    headers: tuple[tuple[bytes, bytes], ...]  # names in lower case
    before: bytes
    after: bytes

    def match(self, data: bytes) -> tuple[int, int] | None:
        """(where the body begins, its length) when `data` begins with this head; nothing else of it can differ."""
        if not data.startswith(self.before):
            return None
        begin = len(self.before)
        end = data.find(b"\r", begin, begin + 8)
        digits = data[begin:end]
        if end < 0 or not digits.isdigit() or not data.startswith(self.after, end):
            return None
        return end + len(self.after), int(digits)


class _Heard:
    """What a parser tells of a head."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False
        self.beyond = False  # the head ended before the bytes did

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.complete = True

    def on_body(self, body: bytes) -> None:
        self.beyond = True

    def on_message_complete(self) -> None:
        self.beyond = True


def parse_head(data: bytes) -> Head | None:
    """The head that `data` begins with, by the parser that the server uses too (llhttp, strict); None when it is not as plain as `Head`.

    What frames a body in another way (Transfer-Encoding, Upgrade, Expect, a second Content-Length) is never plain.
    """
    end = data.find(HEAD_END, 0, HEAD_BYTES)
    if end < 0:
        return None
    raw = data[: end + len(HEAD_END)]
    heard = _Heard()
    parser = httptools.HttpRequestParser(heard)
    try:
        parser.feed_data(raw)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    lengths = _LENGTH.findall(raw)
    plain = heard.complete and not heard.beyond and parser.should_keep_alive()
    if not plain or parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
        return None
    if len(lengths) != 1 or [value for name, value in heard.headers if name == b"content-length"] != lengths:
        return None
    if any(name in _NEVER and (name, value.lower()) != _KEEP_ALIVE for name, value in heard.headers):
        return None
    found = _LENGTH.search(raw)
    assert found is not None
    return Head(heard.url, tuple(heard.headers), raw[: found.start(1)], raw[found.end(1) :])
