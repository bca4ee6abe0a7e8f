"""The laptop's GitHub: its REST API, webhooks and pages over a real bare git repository."""

from __future__ import annotations

from bot.local.github.embedded import EmbeddedGitHub

__all__ = ["EmbeddedGitHub"]
