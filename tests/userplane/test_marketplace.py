"""The marketplace as real processes: a quote's trace, a hanging carrier before and after its fix, a crash, restarts and stops."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.userplane.collector import Collector, SeenSpan
from tests.userplane.world import CARRIERS, RISK, ROOT, Running, World, alive, checkout, client, hang, recover, wait_until_well

WEB, ENGINE, GATEWAY = "marketplace-web", "quote-engine", "carrier-gateway"
GATEWAY_MANIFEST = "userplane/manifests/carrier-gateway.yaml"


@dataclass
class Up:
    """Carriers and a marketplace as shipped, sending telemetry."""

    world: World
    collector: Collector
    carriers: dict[str, str]
    marketplace: Running

    def of_trace(self, trace_id: bytes, count: int) -> list[SeenSpan]:
        return self.collector.wait_for(count, lambda span: span.trace_id == trace_id)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with Collector() as collector, World(tmp_path_factory.mktemp("world")) as world:
        world.environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        carriers = world.start_carriers()
        yield Up(world, collector, carriers, world.start_marketplace())


def fixed_manifest(carrier: str) -> str:
    """The gateway's manifest as the fix for a hanging `carrier` changes it: 1 s, breaker on, its offer left out."""
    text = (ROOT / GATEWAY_MANIFEST).read_text(encoding="utf-8")
    before, _, after = text.partition(f"  {carrier}:\n")
    for setting, value in (("timeout_s", "1"), ("enabled", "true"), ("fallback", "omit")):
        after = re.sub(rf"(?m)^(\s+{setting}:) \S+", rf"\1 {value}", after, count=1)
    return f"{before}  {carrier}:\n{after}"


def ask(url: str, patience_s: float = 10.0) -> tuple[httpx.Response | None, float]:
    """One POST /quotes: the answer (None when the customer gave up) and its seconds."""
    with client(url, patience_s) as customer:
        started_s = time.monotonic()
        try:
            answer = customer.post("/quotes", json=RISK)
        except httpx.TimeoutException:
            answer = None
        return answer, time.monotonic() - started_s


def ask_many(url: str, count: int, at_once: int, patience_s: float = 10.0) -> list[tuple[httpx.Response | None, float]]:
    with ThreadPoolExecutor(at_once) as customers:
        return list(customers.map(lambda _: ask(url, patience_s), range(count)))


def p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(0.99 * (len(seconds) - 1) + 0.5)]


def test_quote_is_one_trace_through_all_six_services(up: Up) -> None:
    answer, seconds = ask(up.marketplace.url)
    assert answer is not None and answer.status_code == 201 and seconds < 2
    premiums = [offer["premium"] for offer in answer.json()["answer"]["offers"]]
    assert len(premiums) == 3 and premiums == sorted(premiums)

    root = up.collector.wait_for(1, lambda span: span.name == "POST /quotes" and span.service == WEB and span.kind == "SERVER")[-1]
    spans = up.of_trace(root.trace_id, 14)
    servers = {span.service: span for span in spans if span.kind == "SERVER"}
    assert set(servers) == {WEB, ENGINE, GATEWAY, *CARRIERS}
    by_id = {span.span_id: span for span in spans}
    for service, caller in ((ENGINE, WEB), (GATEWAY, ENGINE), *((carrier, GATEWAY) for carrier in CARRIERS)):
        client = by_id[servers[service].parent_id]
        assert (client.service, client.kind, client.attributes["peer.service"]) == (caller, "CLIENT", service)
        assert client.attributes["http.response.status_code"] == 200 and client.attributes["server.port"]
    assert root.attributes["http.route"] == "/quotes" and root.attributes["http.response.status_code"] == 201
    assert root.attributes["http.request.method"] == "POST" and root.attributes["url.scheme"] == "http"
    assert root.resource["service.version"] == root.resource["vcs.ref.head.revision"] == "c0ffee"
    assert root.resource["deployment.environment.name"] == "development"
    assert {span.name for span in spans if span.kind == "INTERNAL"} == {"price risk", "rank offers", "save quote"}
    assert not any(span.failed for span in spans)


def test_public_edge_does_not_continue_a_strangers_trace(up: Up) -> None:
    stranger = "ab" * 16
    with client(up.marketplace.url) as web:
        web.get("/policies", headers={"traceparent": f"00-{stranger}-{'cd' * 8}-00"})
    seen = up.collector.wait_for(1, lambda span: span.name == "GET /policies")
    assert seen[0].trace_id.hex() != stranger and seen[0].parent_id == b""


def test_health_checks_are_not_traced(up: Up) -> None:
    with client(up.marketplace.url) as web:
        for _ in range(3):
            assert web.get("/healthz").json() == {"status": "ok"}
        web.get("/")
    up.collector.wait_for(1, lambda span: span.name == "GET /")
    assert not any("healthz" in span.name for span in up.collector.spans())


def test_customer_who_gives_up_ends_the_work_everywhere(up: Up) -> None:
    hang(up.carriers["carrier-birch"], 20)
    try:
        answer, _ = ask(up.marketplace.url, patience_s=0.8)
        assert answer is None
        gave_up = up.collector.wait_for(1, lambda span: span.service == WEB and span.attributes.get("http.response.status_code") == 499)[-1]
        spans = up.of_trace(gave_up.trace_id, 12)
    finally:
        recover(up.carriers["carrier-birch"])
    assert gave_up.name == "POST /quotes" and gave_up.attributes["error.type"] == "client disconnected" and not gave_up.failed
    for service in (WEB, ENGINE, GATEWAY, "carrier-birch"):
        server = next(span for span in spans if span.service == service and span.kind == "SERVER")
        assert 0.5 < server.seconds < 2.5, service
        assert server.attributes["http.response.status_code"] == 499 and not server.failed
    waiting = {span.attributes["peer.service"] for span in spans if span.attributes.get("error.type") == "cancelled"}
    assert waiting == {ENGINE, GATEWAY, "carrier-birch"}


def test_hanging_carrier_breaks_quotes_until_the_manifest_leaves_it_out(up: Up, tmp_path: Path) -> None:
    hang(up.carriers["carrier-cedar"], 20)
    try:
        before = ask_many(up.marketplace.url, 8, 8, patience_s=1.2)
        tree = checkout(tmp_path, {GATEWAY_MANIFEST: fixed_manifest("carrier-cedar")})
        healed = up.world.start_marketplace(tree, RENDER_GIT_COMMIT="f1fed")
        opening = ask_many(healed.url, 10, 5)
        after = ask_many(healed.url, 64, 8)
    finally:
        recover(up.carriers["carrier-cedar"])
    assert all(answer is None for answer, _ in before)
    for answer, seconds in (*opening, *after):
        assert answer is not None and answer.status_code == 201 and seconds < 2.5
        assert {offer["carrier"] for offer in answer.json()["answer"]["offers"]} == {"carrier-alder", "carrier-birch"}
    assert p99([seconds for _, seconds in after]) < 1.0
    kinds = {
        span.attributes["error.type"]
        for span in up.collector.wait_for(64, lambda span: span.failed and span.resource["service.version"] == "f1fed")
    }
    assert kinds == {"timeout", "breaker_open"}
    assert healed.stop()[0] == 0


def test_crash_in_the_engine_is_500_with_its_stack_in_the_span(up: Up, tmp_path: Path) -> None:
    pricing = "userplane/engine/pricing.py"
    text = (ROOT / pricing).read_text(encoding="utf-8").replace('"""Each claim of', 'raise OverflowError(claims)\n    """Each claim of')
    broken = up.world.start_marketplace(checkout(tmp_path, {pricing: text}), RENDER_GIT_COMMIT="bad")
    answer, _ = ask(broken.url)
    assert answer is not None and answer.status_code == 500 and "error" in answer.json()
    failed = up.collector.wait_for(4, lambda span: span.failed and span.resource["service.version"] == "bad")
    servers = {span.service: span for span in failed if span.kind == "SERVER"}
    assert set(servers) == {WEB, ENGINE}
    assert all(span.attributes["http.response.status_code"] == 500 for span in servers.values())
    assert servers[ENGINE].attributes["error.type"] == "OverflowError" and servers[WEB].attributes["error.type"] == "500"
    assert not servers[WEB].exceptions
    (exception,) = servers[ENGINE].exceptions
    assert exception["exception.type"] == "OverflowError" and exception["exception.message"] == "0"
    assert re.search(r'File "\S*userplane/engine/pricing\.py", line \d+, in claims_factor', str(exception["exception.stacktrace"]))
    assert broken.stop()[0] == 0


def test_quotes_and_policies_survive_a_restart(up: Up, tmp_path: Path) -> None:
    database = str(tmp_path / "own.sqlite")
    first = up.world.start_marketplace(MARKETPLACE_DB=database)
    answer, _ = ask(first.url)
    assert answer is not None
    quote = answer.json()
    order = {"quote_id": quote["id"], "carrier": quote["answer"]["offers"][0]["carrier"]}
    with client(first.url) as web:
        policy = web.post("/policies", json=order).json()
    assert first.stop()[0] == 0
    second = up.world.start_marketplace(MARKETPLACE_DB=database)
    as_json = {"accept": "application/json"}
    with client(second.url) as web:
        assert web.get(f"/quotes/{quote['id']}", headers=as_json).json() == quote
        assert web.get("/policies", headers=as_json).json() == {"policies": [policy]}
        assert web.post("/policies", json=order).json() == policy
    assert second.stop()[0] == 0


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def all_gone(pids: list[int], limit_s: float = 5.0) -> bool:
    deadline_s = time.monotonic() + limit_s
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return not any(alive(pid) for pid in pids)


def test_stop_is_quick_even_while_a_customer_waits_and_sends_the_last_spans(up: Up) -> None:
    stopping = up.world.start_marketplace(RENDER_GIT_COMMIT="stopping")
    hang(up.carriers["carrier-alder"], 20)
    try:
        with ThreadPoolExecutor(1) as pool, client(stopping.url) as customer:
            waiting = pool.submit(customer.post, "/quotes", json=RISK)
            up.collector.wait_for(
                2, lambda span: span.kind == "CLIENT" and span.service == GATEWAY and span.resource["service.version"] == "stopping"
            )
            code, seconds = stopping.stop()
            assert waiting.exception() is not None or waiting.result().status_code >= 500
    finally:
        recover(up.carriers["carrier-alder"])
    assert code == 0 and seconds < 2.5
    up.collector.wait_for(
        1, lambda span: span.resource["service.version"] == "stopping" and span.service == WEB and span.name == "POST /quotes"
    )


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds child processes in /proc")
def test_death_of_one_service_ends_the_deploy_and_death_of_the_parent_ends_the_services(up: Up) -> None:
    one, other = up.world.start("userplane.marketplace"), up.world.start("userplane.marketplace")
    wait_until_well(one)
    os.kill(children(one.process.pid)[1], signal.SIGKILL)
    code, output = one.ended()
    assert code == 1 and f"{ENGINE} ended by itself (SIGKILL)" in output

    wait_until_well(other)
    services = children(other.process.pid)
    assert len(services) == 3
    other.process.kill()
    assert all_gone(services)


def test_wrong_settings_stop_the_start_with_one_clear_line(up: Up, tmp_path: Path) -> None:
    expected = {
        "CARRIER_BIRCH_URL is not set": up.world.start("userplane.marketplace", cwd=ROOT, CARRIER_BIRCH_URL=""),
        "PORT: expected a port number": up.world.start("userplane.marketplace", cwd=ROOT, PORT="many"),
        "MARKETPLACE_DB": up.world.start("userplane.marketplace", cwd=ROOT, MARKETPLACE_DB=str(tmp_path)),
        "no insurer is called 'carrier-oak'": up.world.start("userplane.carriers", "carrier-oak"),
    }
    for message, refused in expected.items():
        code, output = refused.ended()
        assert code in (1, 2) and message in output and "Traceback" not in output
