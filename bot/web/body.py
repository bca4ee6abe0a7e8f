"""Request bodies within limits: read no more than allowed, inflate no more than allowed."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from typing import Any

from starlette.requests import Request

from bot.web.answers import Declined

try:
    from isal import isal_zlib
except ImportError:  # no wheel for this machine: zlib takes three times as long for the same result
    GUNZIP = "zlib"
    _decompressobj: Callable[..., Any] = zlib.decompressobj
    _DAMAGED: type[Exception] = zlib.error
else:
    GUNZIP = "isal"
    _decompressobj = isal_zlib.decompressobj
    _DAMAGED = isal_zlib.error  # type: ignore[assignment] # its stubs call the class an instance

READ_TIMEOUT_S = 30.0
TOO_LARGE = 413
MEMBERS = 8  # a gzip body may be a concatenation; each further member costs a copy of what is left


async def read_body(request: Request, limit_bytes: int, timeout_s: float = READ_TIMEOUT_S) -> bytes:
    """The whole body. Declines with 413 above `limit_bytes` (without reading on), 408 when it does not come in `timeout_s`."""
    too_large = Declined(TOO_LARGE, f"the body is larger than {limit_bytes} bytes", "send less at once", {"Connection": "close"})
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > limit_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit_bytes:
                    raise too_large
    except TimeoutError:
        raise Declined(408, "the body did not arrive in time", "send it again", {"Connection": "close"}) from None
    return bytes(body)


def inflated_bytes(body: bytes) -> int:
    """What a gzip body says of its size (the last member's ISIZE, RFC 1952), before anything of it is inflated. It may lie."""
    return int.from_bytes(body[-4:], "little")


def inflate(body: bytes, limit_bytes: int) -> bytes:
    """gzip (all members) to at most `limit_bytes`. Declines with 413 above that, 400 when it is not whole gzip."""
    parts: list[bytes] = []
    size, rest = 0, body
    while rest:
        if len(parts) == MEMBERS:
            raise Declined(400, f"the gzip body has more than {MEMBERS} members", "send it as one")
        member = _decompressobj(wbits=31)
        try:
            part = member.decompress(rest, limit_bytes + 1 - size)
        except _DAMAGED:
            raise Declined(400, "the body is not valid gzip", "compress it again, or send it plain") from None
        size += len(part)
        if size > limit_bytes:
            raise Declined(TOO_LARGE, f"the body inflates to more than {limit_bytes} bytes", "send less at once")
        if not member.eof:
            raise Declined(400, "the gzip body is cut off", "send it whole")
        parts.append(part)
        rest = member.unused_data
    return parts[0] if len(parts) == 1 else b"".join(parts)
