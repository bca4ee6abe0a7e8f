"""The dependency client against a real loopback server: deadline, breaker, fallback, propagation, and what its spans say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from userplane.common.dependency import Dependency, DependencyFailed, dependency_url, new_http_client
from userplane.common.manifest import BreakerPolicy, DependencyPolicy, Fallback

OK = b'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"n": 1}\n'


@dataclass
class Server:
    """A server that answers what `answer` is (None: never); it notes requests and lost connections."""

    answer: bytes | None
    requests: list[bytes]
    lost: int = 0


@dataclass
class Setting:
    server: Server
    dependency: Dependency
    exporter: InMemorySpanExporter
    now_s: list[float]

    def last_span(self) -> ReadableSpan:
        return self.exporter.get_finished_spans()[-1]

    def error_types(self) -> list[object]:
        return [(span.attributes or {}).get("error.type") for span in self.exporter.get_finished_spans()]


@asynccontextmanager
async def setting(
    answer: bytes | None, *, timeout_s: float = 5.0, failures: int | None = None, fallback: Fallback = "none"
) -> AsyncIterator[Setting]:
    server = Server(answer, [])

    handling: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        this = asyncio.current_task()
        assert this is not None
        handling.add(this)
        server.requests.append(await reader.readuntil(b"\r\n\r\n"))
        if server.answer is None:
            while await reader.read(1024):
                pass
            server.lost += 1
        else:
            writer.write(server.answer)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    policy = DependencyPolicy(timeout_s, BreakerPolicy(failures is not None, failures or 1, 30.0), fallback)
    now_s = [0.0]
    url = f"http://127.0.0.1:{port}"
    async with new_http_client([url]) as http:
        yield Setting(server, Dependency("bank", url, policy, http, provider.get_tracer("test"), lambda: now_s[0]), exporter, now_s)
    listening.close()
    await asyncio.gather(*handling)


def tell(story: Callable[[], Awaitable[None]]) -> None:
    async def told() -> None:
        async with asyncio.timeout(10):
            await story()

    asyncio.run(told())


def test_answer_comes_back_and_the_context_goes_along() -> None:
    async def story() -> None:
        async with setting(OK) as at:
            assert await at.dependency.post("/rate", {"a": 1}) == {"n": 1}
            span = at.last_span()
            assert span.name == "POST /rate" and span.kind is SpanKind.CLIENT and span.status.status_code is StatusCode.UNSET
            assert span.attributes is not None and span.context is not None
            assert span.attributes["peer.service"] == "bank" and span.attributes["http.response.status_code"] == 200
            assert span.attributes["server.address"] == "127.0.0.1" and isinstance(span.attributes["server.port"], int)
            assert f"traceparent: 00-{span.context.trace_id:032x}-{span.context.span_id:016x}".encode() in at.server.requests[0]

    tell(story)


@pytest.mark.parametrize(
    ("answer", "error_type", "status"),
    [
        (b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n", "500", 500),
        (b"HTTP/1.1 422 No\r\ncontent-length: 0\r\n\r\n", "422", 422),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n[", "invalid_answer", 502),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]", "invalid_answer", 502),
        (b"", "connection_error", 502),
        (None, "timeout", 504),
    ],
)
def test_unusable_answers_fail_the_call_and_mark_its_span(answer: bytes | None, error_type: str, status: int) -> None:
    async def story() -> None:
        async with setting(answer, timeout_s=0.2) as at:
            with pytest.raises(DependencyFailed, match=r"^bank: ") as failed:
                await at.dependency.post("/rate", {})
            assert (failed.value.kind, failed.value.status) == (error_type, status)
            assert at.error_types() == [error_type]
            assert at.last_span().status.status_code is StatusCode.ERROR

    tell(story)


def test_omit_leaves_the_failed_answer_out_but_its_span_still_says_it_failed() -> None:
    async def story() -> None:
        async with setting(None, timeout_s=0.1, fallback="omit") as at:
            assert await at.dependency.post("/rate", {}) is None
            assert at.error_types() == ["timeout"]

    tell(story)


def test_breaker_stops_asking_then_one_trial_finds_the_dependency_well_again() -> None:
    async def story() -> None:
        async with setting(None, timeout_s=0.1, failures=2, fallback="omit") as at:
            for _ in range(4):
                assert await at.dependency.post("/rate", {}) is None
            assert len(at.server.requests) == 2
            assert at.error_types() == ["timeout", "timeout", "breaker_open", "breaker_open"]
            at.server.answer = OK
            at.now_s[0] = 30.0
            assert [await at.dependency.post("/rate", {}) for _ in range(3)] == [{"n": 1}] * 3

    tell(story)


def test_refused_input_is_no_reason_to_open_the_breaker() -> None:
    async def story() -> None:
        async with setting(b"HTTP/1.1 422 No\r\ncontent-length: 0\r\n\r\n", failures=1, fallback="omit") as at:
            for _ in range(3):
                await at.dependency.post("/rate", {})
            assert len(at.server.requests) == 3

    tell(story)


def test_caller_who_gives_up_ends_span_and_connection_at_once() -> None:
    async def story() -> None:
        async with setting(None, timeout_s=30.0) as at:
            calling = asyncio.create_task(at.dependency.post("/rate", {}))
            while not at.server.requests:
                await asyncio.sleep(0.01)
            calling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await calling
            assert at.error_types() == ["cancelled"]
            assert at.last_span().status.status_code is StatusCode.UNSET
            while not at.server.lost:
                await asyncio.sleep(0.01)

    tell(story)


def test_missing_or_odd_address_is_named() -> None:
    assert dependency_url("my-bank", {"MY_BANK_URL": "http://127.0.0.1:1/"}) == "http://127.0.0.1:1"
    with pytest.raises(ValueError, match="MY_BANK_URL is not set"):
        dependency_url("my-bank", {})
    with pytest.raises(ValueError, match="MY_BANK_URL: expected an http or https URL"):
        dependency_url("my-bank", {"MY_BANK_URL": "bank:80"})
