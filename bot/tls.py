"""Whose certificates count."""

from __future__ import annotations

import ssl
from functools import lru_cache


def trusted(url: str) -> ssl.SSLContext:
    """For clients' `verify`: the usual authorities'; for an address without TLS (a server on this machine) nobody's, so that a redirect
    to one with TLS fails instead of being believed."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if url.startswith("http://") else _authorities()


@lru_cache(maxsize=1)  # to load them takes 25 to 70 ms, and one process has several clients
def _authorities() -> ssl.SSLContext:
    from bot.lean_httpx import httpx

    return httpx.create_ssl_context()
