"""The composition root: settings to adapters. Light enough for the always-on process; what thinks is wired in `wiring_think.py`."""

from __future__ import annotations

import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bot.adapters.clock import SystemClock
from bot.adapters.github import GitHubForge
from bot.adapters.github.transport import Transport
from bot.chronicle import Chronicle
from bot.observe import Eyes
from bot.perform import Hands
from bot.policy.load import load_directory
from bot.policy.schema import Policies
from bot.ports import Clock, EventSink, Telemetry
from bot.record import Keyring
from bot.settings import Settings
from bot.texts import Links
from bot.web.remote import RemoteSink

WRITE_INTERVAL_S = 1.0  # GitHub's advice for content creation
LOCAL_WRITE_INTERVAL_S = 0.0  # a GitHub on this machine has no such limit


@dataclass(frozen=True)
class GitHubSide:
    """One connection to GitHub and what belongs to it."""

    forge: GitHubForge
    keyring: Keyring
    bot: str
    links: Links
    clock: Clock


async def open_github(settings: Settings, stack: AsyncExitStack) -> GitHubSide:
    """Connects; asks who we are unless told. Raises Refused when a setting is missing, Retry when GitHub is away."""
    settings.require("github_token", "repository", "marker_key")
    clock = SystemClock()
    on_this_machine = settings.github_api_url.startswith("http://")
    transport = Transport(
        token=settings.github_token,
        api_url=settings.github_api_url,
        clock=clock,
        write_interval_s=LOCAL_WRITE_INTERVAL_S if on_this_machine else WRITE_INTERVAL_S,
    )
    await stack.enter_async_context(transport)
    forge = GitHubForge(transport, settings.repository, bot_login=settings.bot_login)
    keyring = Keyring(settings.marker_key.encode(), settings.repository)
    bot = (await forge.me()).login
    return GitHubSide(forge, keyring, bot, Links(settings.github_web_url, settings.repository), clock)


def policies_of(settings: Settings) -> Policies:
    return load_directory(settings.policies_dir)


def build_hands(side: GitHubSide, policies: Policies, telemetry: Telemetry, sink: EventSink) -> Hands:
    eyes = Eyes(side.forge, telemetry, side.keyring, policies, side.bot)
    return Hands(eyes, side.forge, side.clock, sink, Chronicle(side.keyring, side.bot), side.links)


def remote_sink(settings: Settings, clock: Clock) -> RemoteSink:
    """Where a job's thoughts go: the always-on process's feed, signed; nowhere without `feed_url`."""
    return RemoteSink(settings.feed_url, settings.feed_key, clock=clock.now, nonce=lambda: uuid.uuid4().hex)
