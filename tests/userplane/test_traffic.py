"""Customers: what they do, how long they wait, and that a marketplace that is away does not stop them."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from bot.local.ports import free_port
from tests.userplane.world import ROOT
from userplane.common.risk import parse_risk
from userplane.traffic.__main__ import generate, line
from userplane.traffic.customers import SHARE_OF_QUOTES, draw_risk, draw_visit


def test_visits_are_varied_plausible_and_the_same_for_the_same_seed() -> None:
    visits = [draw_visit(random.Random(seed), 6.0) for seed in range(2_000)]
    assert visits == [draw_visit(random.Random(seed), 6.0) for seed in range(2_000)]
    risks = [visit.risk for visit in visits if visit.risk is not None]
    assert abs(len(risks) / 2_000 - SHARE_OF_QUOTES) < 0.05
    assert all(5.0 <= visit.patience_s <= 7.0 for visit in visits)
    assert len({(risk.vehicle, risk.region, risk.cover) for risk in risks}) > 60
    for risk in risks:
        assert parse_risk(risk.as_json()) == risk


def test_new_customers_are_most_of_them() -> None:
    rng = random.Random(5)
    assert 0.65 < sum(draw_risk(rng).customer_years == 0 for _ in range(2_000)) / 2_000 < 0.85


def test_customers_keep_coming_while_the_marketplace_is_away_hangs_or_fails() -> None:
    async def story() -> Counter[tuple[str, str]]:
        port = free_port()
        stop = asyncio.Event()
        generating = asyncio.create_task(generate(f"http://127.0.0.1:{port}", 40.0, 0.2, random.Random(2), stop))
        await asyncio.sleep(0.4)
        hung: list[asyncio.StreamWriter] = []

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:  # a customer who lost patience while connecting
                writer.close()
                return
            if len(hung) < 5:
                hung.append(writer)
                return
            writer.write(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", port)
        await asyncio.sleep(1.7)
        stop.set()
        counts = await generating
        server.close()
        for writer in hung:
            writer.close()
        await asyncio.sleep(0.05)
        return counts

    counts = asyncio.run(story())
    assert counts["GET /", "unreachable"] > 0 and counts["GET /", "gave up"] >= 5 and counts["GET /", "failed"] > 20
    assert "GET / 5 gave up" in line(Counter({("GET /", "gave up"): 5}))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_generator_ends_cleanly_when_told_to(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "userplane.traffic", "--url", f"http://127.0.0.1:{free_port()}", "--rps", "50", "--seed", "1"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("customers come to http://127.0.0.1:")
    time.sleep(1.0)
    process.send_signal(number)
    output, errors = process.communicate(timeout=10)
    assert process.returncode == 0 and output.startswith("in all: GET / ") and "unreachable" in output and errors == ""
