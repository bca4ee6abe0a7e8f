"""`sre-space serve`: the always-on process. Answers HTTP at once; connects to GitHub in the background and keeps trying."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import importlib
import logging
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from ctypes import CDLL
from dataclasses import replace
from types import FrameType

import psutil
import uvicorn

from bot.adapters.bus import MemoryBus
from bot.adapters.clock import SystemClock
from bot.agents.scout import Scout
from bot.decide import Step
from bot.errors import Refused, Retry
from bot.facts import Facts
from bot.model import Event, Phase
from bot.policy.load import load_directory
from bot.policy.schema import Policies
from bot.ports import Clock, EventSink
from bot.settings import Settings
from bot.snapshot import Json, Snapshot
from bot.telemetry.counters import Counters
from bot.telemetry.native import gunzip
from bot.telemetry.native import library as kernel
from bot.telemetry.native.folding import Folding
from bot.telemetry.native.reader import NativeReader
from bot.telemetry.reader import TraceReader
from bot.texts import Links
from bot.topics import WAKE, Announcer
from bot.web.app import build_app
from bot.web.deployments import Deployment
from bot.web.feed import Feed
from bot.web.otlp_protocol import protocol_for
from bot.web.parts import Reading, Sink, WebParts
from bot.web.signal_sinks import LogsSink, MetricsSink, TracesSink

_LOGGER = logging.getLogger(__name__)

CLOUD_WAITING_S = 10.0
SHUTDOWN_S = 3
CONNECTIONS = 200  # each may hold an inflated body: a bound on memory


def watch_traces(policies: Policies, clock: Clock, say: EventSink, counters: Counters, library: CDLL | None) -> tuple[Scout, TraceReader]:
    """Scout, and who reads its traces: by the compiled kernel when there is one."""
    if library is None:
        scout = Scout(policies, clock, say, counters)
        return scout, TraceReader(scout.catalogue)
    folding = Folding(library)
    scout = Scout(policies, clock, say, counters, fold=folding.fold, merge=folding.merge)
    return scout, TraceReader(scout.catalogue, NativeReader(library, scout.catalogue, secrets.randbits(64), gunzip.load()))


class ControlPlane:
    """What lives as long as the process: Scout, the feed, the loop. Nothing in it is needed to go on after a kill."""

    def __init__(self, settings: Settings, policies: Policies) -> None:
        self.settings = settings
        self.policies = policies
        self.clock = SystemClock()
        self.feed = Feed(first_id=int(self.clock.now() * 1000))  # ids go on rising over a restart
        self.bus = MemoryBus()
        self.sink = Announcer(self.feed, self.bus)
        self.counters = Counters()
        self.scout, self.reader = watch_traces(policies, self.clock, self.sink, self.counters, kernel.load())
        self.snapshot = Snapshot(policies, self.scout)
        self.links = Links(settings.github_web_url, settings.repository)
        self.metrics = MetricsSink(self.scout.observe_points, self.clock, self.counters)
        self.passes = 0
        self.failed = False
        self._process = psutil.Process()

    def wake(self, reason: str) -> None:
        self.bus.publish(WAKE, reason)

    def deployed(self, deployment: Deployment) -> None:
        for service in self.policies.deployed_in(deployment.environment):
            self.scout.deployed(service, deployment.commit, deployment.at_s)

    def state(self) -> Json:
        rss_mib = self._process.memory_info().rss / 1024 / 1024
        profile = self.settings.profile
        return self.snapshot.state(self.clock.now(), self.links, rss_mib=rss_mib, profile=profile, demo=self.settings.demo)

    def sinks(self) -> Mapping[str, Sink]:
        """What each OTLP signal is handed to, by path."""
        return {
            "/v1/traces": TracesSink(self.scout, self.reader, self.clock, self.counters, self.wake),
            "/v1/metrics": self.metrics,
            "/v1/logs": LogsSink(self.scout.observe_logs, self.clock, self.counters),
        }

    def readings(self) -> Mapping[str, Reading]:
        """What `/metrics` shows beside the counters."""
        return {
            "sre_space_span_series": len(self.scout.catalogue.keys),
            "sre_space_detail_share": 0.5**self.scout.catalogue.detail.halvings,
            "sre_space_metric_series": len(self.metrics.series),
            "sre_space_operations_unlearnt": self.scout.unlearnt,
            "sre_space_gauge_overflow_total": self.scout.gauges.overflow,
            "sre_space_log_templates": len(self.scout.logs),
            "sre_space_log_overflow_total": self.scout.logs.overflow,
            "sre_space_signals_total": self.scout.raised,
            "sre_space_incidents_open": self.snapshot.open_incidents,
            "sre_space_loop_passes_total": self.passes,
        }

    def _watch(self, facts: Facts, step: Step) -> None:
        self.passes += 1
        self.snapshot.watch(facts, step)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        control = asyncio.create_task(self._control(), name="control")
        control.add_done_callback(self._ended)
        try:
            yield
        finally:
            control.cancel()
            with contextlib.suppress(Exception, asyncio.CancelledError):  # told by `_ended`
                await control
            self.feed.close()

    def _ended(self, control: asyncio.Task[None]) -> None:
        """A control plane that no longer controls must not look alive: the process ends, and the platform starts it again."""
        if not control.cancelled() and (bug := control.exception()):
            _LOGGER.error("the control loop ended", exc_info=bug)
            self.failed = True
            signal.raise_signal(signal.SIGTERM)

    async def _control(self) -> None:
        """Connects, then reconciles until cancelled. A wrong token is told, and tried again: it may be mended on GitHub's side."""
        while True:
            try:
                async with AsyncExitStack() as stack:
                    await self._reconcile(stack)
            except (Retry, Refused) as problem:
                self._say(f"GitHub is out of reach: {problem}")
                await self.clock.sleep(problem.after_s if isinstance(problem, Retry) else 30.0)

    async def _reconcile(self, stack: AsyncExitStack) -> None:
        await asyncio.sleep(0)  # the port is answered first; githubkit takes half a second to load
        wiring = await asyncio.to_thread(importlib.import_module, "bot.wiring")
        loops = await asyncio.to_thread(importlib.import_module, "bot.loop")
        gc.freeze()  # what is loaded stays: looking through it again at each full collection would hold requests up
        side = await wiring.open_github(self.settings, stack)
        hands = wiring.build_hands(side, self.policies, self.scout, self.sink)
        cloud = self.settings.profile == "cloud"
        pace = loops.Pace(self.settings.tick_s, CLOUD_WAITING_S if cloud else self.settings.tick_s, self.settings.sweep_s)
        self._say(f"watching {len(self.policies.objectives)} objective(s) of {self.settings.repository} as {side.bot}")
        await loops.Loop(hands, pace, self._watch, self.bus).run()

    def _say(self, text: str) -> None:
        self.sink.say(Event(self.clock.now(), "loop", Phase.OBSERVE, "", text))


def web_parts(plane: ControlPlane, lifespan: Callable[[], AbstractAsyncContextManager[None]]) -> WebParts:
    return WebParts(
        settings=plane.settings,
        feed=plane.feed,
        sinks=plane.sinks(),
        wake=plane.wake,
        snapshot=plane.state,
        clock=plane.clock,
        lifespan=lifespan,
        started_s=plane.clock.now(),
        counters=plane.counters,
        readings=plane.readings,
        deployed=plane.deployed,
    )


def server_config(parts: WebParts) -> uvicorn.Config:
    settings = parts.settings
    app = build_app(parts)
    return uvicorn.Config(
        app,
        http=protocol_for(app.front),
        host=settings.host,
        port=settings.port,
        log_level=settings.log_level if settings.log_level != "info" else "warning",
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        ws="none",  # nobody speaks it here: why load it
    )


def run(argv: Sequence[str], env: Mapping[str, str]) -> int:
    parser = argparse.ArgumentParser(prog="sre-space serve", description=__doc__)
    parser.parse_args(argv)
    settings = Settings.from_env(env)
    settings.require("github_token", "repository", "webhook_secret")
    plane = ControlPlane(settings, load_directory(settings.policies_dir))
    parts = web_parts(plane, plane.lifespan)
    if settings.grpc_port:
        parts = replace(parts, lifespan=_with_grpc(parts))
    _Server(server_config(parts), plane.feed).run()
    return 1 if plane.failed else 0


def _with_grpc(parts: WebParts) -> Callable[[], AbstractAsyncContextManager[None]]:
    """The lifespan of `parts` with a gRPC server inside. Raises Refused when the extra is not installed."""
    try:
        server = importlib.import_module("bot.web.grpc")
    except ModuleNotFoundError as missing:
        raise Refused(f"SRE_GRPC_PORT is set, but {missing.name} is missing: pip install 'sre-space[grpc]', or unset it") from missing

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with parts.lifespan(), server.serving_grpc(parts, parts.settings.host, parts.settings.grpc_port):
            yield

    return lifespan


class _Server(uvicorn.Server):
    """Ends the feed when the signal comes: its readers' connections would otherwise be waited for."""

    def __init__(self, config: uvicorn.Config, feed: Feed) -> None:
        super().__init__(config)
        self._feed = feed

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._feed.close()
        super().handle_exit(sig, frame)
