"""httpx without its command line, which would load rich and pygments into every process: a twentieth of a second, 5 MiB."""

from bot.leaner import without

with without("pygments"):
    import httpx

__all__ = ["httpx"]
