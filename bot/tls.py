"""Whose certificates count."""

from __future__ import annotations

import ssl


def trusted(url: str) -> bool | ssl.SSLContext:
    """For clients' `verify`: the usual authorities', which take 25 ms to load; for an address without TLS (a server on this machine)
    nobody's, so that a redirect to one with TLS fails instead of being believed."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if url.startswith("http://") else True
