"""Two kinds of failure, so that the type says what happens next.

SreError
├── Retry      try the same thing again later (rate limit, time-out, 5xx, a lost race)
└── Refused    the same thing will fail again; the message says what to do instead
    ├── Conflict   the world moved: look again before you decide anew
    └── Missing    what was asked for is not there
"""

from __future__ import annotations


class SreError(Exception):
    """Anything that SRE-Space raises on purpose."""


class Retry(SreError):
    """Worth doing again, not before `after_s` seconds."""

    def __init__(self, message: str, after_s: float = 1.0) -> None:
        super().__init__(message)
        self.after_s = after_s


class Refused(SreError):
    """Will not work as asked. The message says what to do next."""


class Conflict(Refused):
    """The world has moved since we looked (a head SHA, an existing name). Look again."""


class Missing(Refused):
    """The thing that was asked for does not exist, or we may not see it."""
