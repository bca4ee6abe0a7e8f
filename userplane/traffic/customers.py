"""How customers behave: who they are, what they do on a visit, and that they leave when it takes too long."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from userplane.common.risk import COVERS, EXCESSES_EUR, REGIONS, VEHICLES, Risk

SHARE_OF_QUOTES = 0.6  # of visits
SHARE_OF_NEW_CUSTOMERS = 0.75  # of those who ask for a quote
SHARE_OF_BUYERS = 0.25  # of those who got one
SHARE_OF_POLICY_VIEWERS = 0.15  # of all visits
THINKING_S = (0.2, 1.0)  # between two pages


@dataclass(frozen=True)
class Visit:
    """One customer's plan, drawn before the visit so that answers do not change what others do. Times in seconds."""

    risk: Risk | None  # None: only looks around
    buys: bool
    views_policies: bool
    patience_s: float
    thinking_s: float


def draw_risk(rng: random.Random) -> Risk:
    """A plausible car and driver; about SHARE_OF_NEW_CUSTOMERS have never been customers before."""
    driver_age = min(88, max(18, round(rng.gauss(43, 15))))
    return Risk(
        driver_age=driver_age,
        vehicle=rng.choices(VEHICLES, (24, 28, 16, 8, 8, 16))[0],
        region=rng.choices(REGIONS, (34, 30, 18, 10, 8))[0],
        cover=rng.choices(COVERS, (25, 30, 45))[0],
        licence_years=rng.randint(0, driver_age - 17),
        vehicle_value=100 * round(min(90_000, rng.lognormvariate(9.5, 0.5)) / 100),
        annual_km=1_000 * rng.randint(4, 30),
        claims=rng.choices((0, 1, 2, 3), (72, 20, 6, 2))[0],
        customer_years=0 if rng.random() < SHARE_OF_NEW_CUSTOMERS else rng.randint(1, 20),
        excess=rng.choices(EXCESSES_EUR, (10, 25, 45, 20))[0],
    )


def draw_visit(rng: random.Random, patience_s: float) -> Visit:
    """One visit; each request of it is given `patience_s` seconds, one more or less."""
    return Visit(
        risk=draw_risk(rng) if rng.random() < SHARE_OF_QUOTES else None,
        buys=rng.random() < SHARE_OF_BUYERS,
        views_policies=rng.random() < SHARE_OF_POLICY_VIEWERS,
        patience_s=max(0.1, patience_s + rng.uniform(-1.0, 1.0)),
        thinking_s=rng.uniform(*THINKING_S),
    )


class Customers:
    """Makes visits over one HTTP client and counts what came of each kind of request: ok, failed, refused, unreachable, gave up."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.counts: Counter[tuple[str, str]] = Counter()

    async def visit(self, visit: Visit) -> None:
        """Live one visit. Errors of the marketplace and of the network end it early; they are counted, never raised."""
        if await self._ask("GET", "/", "/", visit) is None:
            return
        if visit.risk is not None:
            await self._get_quoted(visit, visit.risk)
        if visit.views_policies:
            await asyncio.sleep(visit.thinking_s)
            await self._ask("GET", "/policies", "/policies", visit)

    async def _get_quoted(self, visit: Visit, risk: Risk) -> None:
        await asyncio.sleep(visit.thinking_s)
        answered = await self._ask("POST", "/quotes", "/quotes", visit, risk.as_json())
        if answered is None:
            return
        quote: dict[str, Any] = answered.json()
        await asyncio.sleep(visit.thinking_s)
        if await self._ask("GET", "/quotes/{id}", f"/quotes/{quote['id']}", visit) is None or not visit.buys:
            return
        cheapest = quote["answer"]["offers"][0]
        await self._ask("POST", "/policies", "/policies", visit, {"quote_id": quote["id"], "carrier": cheapest["carrier"]})

    async def _ask(
        self, method: str, route: str, path: str, visit: Visit, body: Mapping[str, object] | None = None
    ) -> httpx.Response | None:
        name = f"{method} {route}"
        try:
            async with asyncio.timeout(visit.patience_s):
                response = await self._http.request(method, path, json=body, timeout=visit.patience_s)
        except (TimeoutError, httpx.TimeoutException):
            self.counts[name, "gave up"] += 1
            return None
        except httpx.HTTPError:
            self.counts[name, "unreachable"] += 1
            return None
        outcome = "ok" if response.status_code < 400 else "refused" if response.status_code < 500 else "failed"
        self.counts[name, outcome] += 1
        return response if outcome == "ok" else None
