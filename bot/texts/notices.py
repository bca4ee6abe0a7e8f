"""Short notices that are written once and read back as facts."""

from __future__ import annotations

from bot.texts.safe import plain


def merge_refused(why: str) -> str:
    return f"GitHub does not let me merge this yet, though the guardrail allows it: {plain(why, 300)}"


def duplicate(of: int) -> str:
    return f"This says the same as #{of}, where the incident goes on."
