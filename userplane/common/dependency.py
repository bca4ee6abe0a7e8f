"""The one client that services call each other with: deadline, circuit breaker and fallback from the manifest, one CLIENT span a call."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from userplane.common.breaker import CircuitBreaker
from userplane.common.manifest import DependencyPolicy

Json = dict[str, Any]

# What our own answer is when a dependency failed us; an answered 5xx is passed on as it is.
STATUS_BY_KIND: Mapping[str, int] = {"timeout": 504, "connection_error": 502, "invalid_answer": 502, "breaker_open": 503}
KEEPALIVE_S = 2.0  # shorter than a server's 5 s, so that we never reuse a connection that the other side is closing


class DependencyFailed(Exception):
    """A dependency gave no usable answer. `kind` is its span's error.type, `status` what we answer our own caller with."""

    def __init__(self, dependency: str, kind: str, status: int, detail: str) -> None:
        super().__init__(f"{dependency}: {detail}")
        self.dependency = dependency
        self.kind = kind
        self.status = status


def url_variable(dependency: str) -> str:
    """The environment variable that holds a dependency's address: "some-name" → "SOME_NAME_URL"."""
    return dependency.upper().replace("-", "_") + "_URL"


def dependency_url(dependency: str, environ: Mapping[str, str]) -> str:
    """A dependency's base URL from the environment. Raises ValueError, naming the variable, when missing or no http(s) URL."""
    variable = url_variable(dependency)
    url = environ.get(variable, "").strip().rstrip("/")
    if not url:
        raise ValueError(f"{variable} is not set: set it to the base URL of {dependency}, such as http://127.0.0.1:9001")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{variable}: expected an http or https URL, found {url!r}")
    return url


def new_http_client(urls: Iterable[str]) -> httpx.AsyncClient:
    """An HTTP client for calls to `urls`; every call sets its own deadline. Proxies of the environment are not used."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=KEEPALIVE_S)
    return httpx.AsyncClient(timeout=httpx.Timeout(30.0), limits=limits, verify=tls_context(urls), trust_env=False)


def tls_context(urls: Iterable[str]) -> ssl.SSLContext:
    """What certificates are checked against. Without any https URL it trusts no authority, which saves loading them all (70 ms)."""
    if any(url.startswith("https:") for url in urls):
        return httpx.create_ssl_context(trust_env=False)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Dependency:
    """One dependency of a service. `clock` is a steady clock in seconds, for the breaker."""

    def __init__(
        self,
        name: str,
        base_url: str,
        policy: DependencyPolicy,
        http: httpx.AsyncClient,
        tracer: Tracer,
        clock: Callable[[], float],
    ) -> None:
        self.name = name
        self.policy = policy
        self._base_url = base_url
        self._http = http
        self._tracer = tracer
        self._clock = clock
        self._breaker = CircuitBreaker(policy.breaker)
        parts = urlsplit(base_url)
        self._address: dict[str, str | int] = {
            "peer.service": name,
            "server.address": parts.hostname or "",
            "server.port": parts.port or (443 if parts.scheme == "https" else 80),
        }

    async def post(self, path: str, body: Mapping[str, object]) -> Json | None:
        """POST JSON to `path` and return the JSON object answered, or None when it failed and the fallback is "omit".

        Raises DependencyFailed when it failed and the fallback is "none". A 4xx answer counts as failed, too: the services
        check their input before they call, so it means that the two do not understand each other.
        """
        try:
            return await self._guarded(path, body)
        except DependencyFailed:
            if self.policy.fallback == "omit":
                return None
            raise

    async def _guarded(self, path: str, body: Mapping[str, object]) -> Json:
        with self._span(path) as span:
            ticket = self._breaker.admit(self._clock())
            if ticket is None:
                raise self._failure("breaker_open", "not asked, its circuit breaker is open")
            try:
                answer = await self._send(path, body, span)
            except DependencyFailed as failure:
                if 400 <= failure.status < 500:
                    self._breaker.succeeded(ticket)
                else:
                    self._breaker.failed(ticket, self._clock())
                raise
            except asyncio.CancelledError:
                self._breaker.abandoned(ticket)
                raise
            self._breaker.succeeded(ticket)
            return answer

    async def _send(self, path: str, body: Mapping[str, object], span: Span) -> Json:
        headers: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(headers)
        timeout_s = self.policy.timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._http.post(self._base_url + path, json=body, headers=headers, timeout=timeout_s)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise self._failure("timeout", f"no answer within {timeout_s:g} s") from error
        except httpx.HTTPError as error:
            raise self._failure("connection_error", str(error) or type(error).__name__) from error
        span.set_attribute("http.response.status_code", response.status_code)
        if response.status_code != httpx.codes.OK:
            raise DependencyFailed(self.name, str(response.status_code), response.status_code, f"answered {response.status_code}")
        try:
            answer = response.json()
        except ValueError as error:
            raise self._failure("invalid_answer", "answered something that is not JSON") from error
        if not isinstance(answer, dict):
            raise self._failure("invalid_answer", "answered JSON that is not an object")
        return answer

    def _failure(self, kind: str, detail: str) -> DependencyFailed:
        return DependencyFailed(self.name, kind, STATUS_BY_KIND[kind], detail)

    @contextmanager
    def _span(self, path: str) -> Iterator[Span]:
        attributes = {**self._address, "http.request.method": "POST", "url.template": path, "url.full": self._base_url + path}
        with self._tracer.start_as_current_span(
            f"POST {path}", kind=SpanKind.CLIENT, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except DependencyFailed as failure:
                span.set_attribute("error.type", failure.kind)
                span.set_status(Status(StatusCode.ERROR, str(failure)))
                raise
            except asyncio.CancelledError:
                span.set_attribute("error.type", "cancelled")
                raise
