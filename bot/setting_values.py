"""Readers of single settings: text to value, or ValueError with what is wanted."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from urllib.parse import urlsplit

_REPOSITORY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,252})|\[[0-9a-f:]+\]")


def read_text(text: str) -> str:
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise ValueError("contains a line break or control character, remove it")
    return text


def read_url(text: str) -> str:
    """http(s) with a host, no credentials, query or fragment; without the closing slash. Empty stays empty."""
    if not text:
        return ""
    problem = "must look like https://host/path, without user, password, query or fragment"
    try:
        parts = urlsplit(read_text(text))
        parts.port  # noqa: B018 - reading it is the check
    except ValueError as error:
        raise ValueError(problem) from error
    odd = parts.username or parts.password or parts.query or parts.fragment
    if parts.scheme not in ("http", "https") or not parts.hostname or odd or any(char.isspace() for char in text):
        raise ValueError(problem)
    return text.rstrip("/")


def read_secret_url(text: str) -> str:
    """A URL to which a token is sent: https, or http to this machine."""
    url = read_url(text)
    parts = urlsplit(url)
    if url and parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("must be https: a token is sent there (http only for an address of this machine)")
    return url


@lru_cache(maxsize=64)
def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address, without port) is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_repository(text: str) -> str:
    if text and not _REPOSITORY.fullmatch(text):
        raise ValueError("must look like owner/name")
    return text


def _listed(text: str) -> Iterable[str]:
    return dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip())


def read_hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(_listed(text))
    if wrong := [host for host in hosts if not _HOST.fullmatch(host)]:
        raise ValueError(f"{wrong[0]!r} is not a host name: give names without scheme and port, separated by commas")
    return hosts


def read_origins(text: str) -> tuple[str, ...]:
    origins = tuple(_listed(text))
    for origin in origins:
        parts = urlsplit(read_url(origin))
        if f"{parts.scheme}://{parts.netloc}" != origin:
            raise ValueError(f"{origin!r} is not an origin: give https://host or https://host:port, separated by commas")
    return origins


def one_of(options: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text and text.lower() not in options:
            raise ValueError(f"must be one of {', '.join(options)}")
        return text.lower()

    return read


def read_port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise ValueError("must be a whole number from 0 to 65535 (0: any free port)")
    return int(text)


def read_optional_port(text: str) -> int:
    """A port from 1 on; 0 stands for «not given»."""
    if text and read_port(text) == 0:
        raise ValueError("must be a whole number from 1 to 65535, or not be set")
    return int(text) if text else 0


def read_seconds(text: str) -> float:
    """More than 0; 0.0 stands for «not given» until `_completed` fills it in."""
    if not text:
        return 0.0
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.05 <= value <= 86_400:
        raise ValueError("must be a number of seconds from 0.05 to 86400")
    return value
