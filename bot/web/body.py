"""Request bodies within limits: read no more than allowed, inflate no more than allowed."""

from __future__ import annotations

import asyncio
import zlib

from starlette.requests import Request

from bot.web.answers import Declined

READ_TIMEOUT_S = 30.0


async def read_body(request: Request, limit_bytes: int, timeout_s: float = READ_TIMEOUT_S) -> bytes:
    """The whole body. Declines with 413 above `limit_bytes` (without reading on), 408 when it does not come in `timeout_s`."""
    too_large = Declined(413, f"the body is larger than {limit_bytes} bytes", "send less at once", {"Connection": "close"})
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


def inflate(body: bytes, limit_bytes: int) -> bytes:
    """gzip (all members) to at most `limit_bytes`. Declines with 413 above that, 400 when it is not whole gzip."""
    out = bytearray()
    rest = body
    while rest:
        member = zlib.decompressobj(wbits=31)
        try:
            out += member.decompress(rest, limit_bytes + 1 - len(out))
        except zlib.error:
            raise Declined(400, "the body is not valid gzip", "compress it again, or send it plain") from None
        if len(out) > limit_bytes:
            raise Declined(413, f"the body inflates to more than {limit_bytes} bytes", "send fewer spans at once")
        if not member.eof:
            raise Declined(400, "the gzip body is cut off", "send it whole")
        rest = member.unused_data
    return bytes(out)
