"""The embedded Render: deploys the python web services of `render.yaml` from pushes to main, on loopback."""

from __future__ import annotations

from bot.local.render.platform import EmbeddedRender

__all__ = ["EmbeddedRender"]
