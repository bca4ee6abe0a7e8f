"""The laptop's Actions: runs the repository's own workflow files as child processes and reports them as check runs."""

from __future__ import annotations

from bot.local.actions.service import EmbeddedActions

__all__ = ["EmbeddedActions"]
