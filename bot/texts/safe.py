"""Untrusted words in Markdown: shown as they are, read by nobody as a mention, a reference, a command, a comment or HTML."""

from __future__ import annotations

import re

_INVISIBLE = "\u200b"  # zero-width space: breaks what GitHub, or we, would act on; invisible to readers
_ACTIVE = re.compile(r"@|#|/(?=sre\b)|<(?=!--)", re.IGNORECASE)
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>|~])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def defuse(text: str) -> str:
    """Mentions, issue references, slash commands and HTML comments lose their effect; control and direction characters go."""
    return _ACTIVE.sub(lambda m: m[0] + _INVISIBLE, _CONTROL.sub("", text))


def fence(text: str, language: str = "text", limit: int = 8000) -> str:
    """A fenced code block that its content cannot close."""
    body = defuse(text)
    if len(body) > limit:
        body = body[:limit] + "\n… (cut)"
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", body)), default=0))
    return f"{ticks}{language}\n{body}\n{ticks}"


def code(text: str, limit: int = 120) -> str:
    """An inline code span on one line, safe in tables too."""
    body = " ".join(defuse(text).split()).replace("|", "¦")
    body = body[:limit] + ("…" if len(body) > limit else "")
    ticks = "`" * (1 + max((len(run) for run in re.findall(r"`+", body)), default=0))
    pad = " " if body.startswith("`") or body.endswith("`") else ""
    return f"{ticks}{pad}{body or ' '}{pad}{ticks}"


def plain(text: str, limit: int = 600) -> str:
    """A sentence that is not ours (a model's, or one with names from telemetry in it), on one line, without any markup of its own."""
    body = " ".join(text.split())
    body = body[:limit] + ("…" if len(body) > limit else "")
    return defuse(_MARKDOWN.sub(r"\\\1", body))


def fold(summary: str, body: str) -> str:
    """A part that opens on a click. `summary` is ours."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"
