"""The Forge port on GitHub's REST API, by githubkit. The same code talks to github.com and to the laptop's embedded GitHub."""

from __future__ import annotations

from bot.adapters.github.forge import GitHubForge

__all__ = ["GitHubForge"]
