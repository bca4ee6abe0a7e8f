"""`python -m benchmarks.ingest_load`: sends prepared requests over keep-alive connections and prints what came back, as one JSON object.

Closed loop by default: each connection sends its next request when the last one is answered. With `--rate` an open loop: requests
leave by the clock, and a late answer counts from when its request should have left.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle, islice

from benchmarks.ingest_payloads import bodies

CONNECTIONS = 8


@dataclass
class Told:
    statuses: Counter[str] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)


def wrap(body: bytes, port: int) -> bytes:
    head = (
        f"POST /v1/traces HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/x-protobuf\r\n"
        f"Content-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> str:
    """Sends one request; the status of its answer."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    if length:
        await reader.readexactly(length)
    return head[9:12].decode()


async def closed(port: int, requests: Iterator[bytes], told: Told, until_s: float) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        if time.monotonic() > until_s:
            break
        told.statuses[await exchange(reader, writer, request)] += 1
    writer.close()


async def opened(port: int, requests: list[bytes], rate: float, told: Told) -> None:
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))

    async def one(request: bytes, due_s: float) -> None:
        connection = await free.get()
        told.statuses[await exchange(*connection, request)] += 1
        told.took_s.append(time.perf_counter() - due_s)
        free.put_nowait(connection)

    begin_s = time.perf_counter() + 0.1
    running = []
    for i, request in enumerate(requests):
        due_s = begin_s + i / rate
        await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
        running.append(asyncio.create_task(one(request, due_s)))
    await asyncio.gather(*running)


async def send(arguments: argparse.Namespace, requests: list[bytes]) -> Told:
    told = Told()
    if arguments.rate:
        await opened(arguments.port, requests, arguments.rate, told)
        return told
    until_s = time.monotonic() + arguments.seconds if arguments.seconds else math.inf
    shared = cycle(requests) if arguments.seconds else iter(requests)
    await asyncio.gather(*(closed(arguments.port, shared, told, until_s) for _ in range(CONNECTIONS)))
    return told


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest_load", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--spans", type=int, default=100)
    parser.add_argument("--requests", type=int, default=1000, help="different ones")
    parser.add_argument("--keys", type=int, default=400)
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second, by the clock")
    parser.add_argument("--seconds", type=float, default=0.0, help="send all requests again and again for so long")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    made = bodies(arguments.requests, arguments.spans, arguments.seed, time.time(), arguments.keys)
    requests = [wrap(body, arguments.port) for body in made]
    print("ready", flush=True)
    sys.stdin.readline()  # whoever measures says go
    told = asyncio.run(send(arguments, list(islice(requests, len(requests)))))
    took = sorted(told.took_s)
    p99_ms = took[math.ceil(0.99 * len(took)) - 1] * 1000.0 if took else None
    print(json.dumps({"statuses": told.statuses, "p99_ms": p99_ms}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
