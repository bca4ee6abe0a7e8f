"""Is an instance ready? A GET of its health check path answers 200 to 399 (Render's rule); without a path, its port accepts."""

from __future__ import annotations

import asyncio

_POLL_S = 0.02
_ANSWER_LIMIT_S = 5.0  # Render's: an answer that takes longer is a failed check


async def wait_until_healthy(port: int, path: str | None, *, limit_s: float) -> bool:
    """Polls until the instance is ready; False when it is not within `limit_s`."""
    try:
        async with asyncio.timeout(limit_s):
            while not await is_healthy(port, path):  # noqa: ASYNC110 - nobody tells us when
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        return False
    return True


async def is_healthy(port: int, path: str | None) -> bool:
    """One check. A refused, broken or slow connection is unhealthy."""
    try:
        async with asyncio.timeout(_ANSWER_LIMIT_S):
            return await _check(port, path)
    except (OSError, TimeoutError):
        return False


async def _check(port: int, path: str | None) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        if path is None:
            return True
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: Render/1.0\r\nConnection: close\r\n\r\n".encode("ascii")
        )
        await writer.drain()
        parts = (await reader.readline()).split()
        return len(parts) > 1 and parts[0].startswith(b"HTTP/") and parts[1].isdigit() and 200 <= int(parts[1]) < 400
    finally:
        writer.close()
