"""Quotes and policies in SQLite. The file outlives deploys; two deploys may have it open at once (WAL)."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

SCHEMA = """
CREATE TABLE IF NOT EXISTS quotes (
    id TEXT PRIMARY KEY, created_at_s REAL NOT NULL, valid_until_s REAL NOT NULL,
    bought INTEGER NOT NULL DEFAULT 0, risk TEXT NOT NULL, answer TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS quotes_by_validity ON quotes (bought, valid_until_s);
CREATE TABLE IF NOT EXISTS policies (
    id TEXT PRIMARY KEY, quote_id TEXT NOT NULL UNIQUE REFERENCES quotes (id), bought_at_s REAL NOT NULL,
    carrier TEXT NOT NULL, insurer TEXT NOT NULL, premium REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS policies_by_time ON policies (bought_at_s);
"""
T = TypeVar("T")
BUSY_LIMIT_S = 5.0
MAX_POLICIES_SHOWN = 50


class CannotBuy(Exception):
    """A quote that cannot be bought as asked: `status` is 404 (unknown), 409 (bought otherwise) or 410 (no longer valid)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Quote:
    """A quote as given to the customer. `answer` is the quote engine's: premium, factors, tariff_edition, offers."""

    id: str
    created_at_s: float
    valid_until_s: float
    risk: dict[str, Any]
    answer: dict[str, Any]


@dataclass(frozen=True)
class Policy:
    """A bought quote: premium in euros a year."""

    id: str
    quote_id: str
    bought_at_s: float
    carrier: str
    insurer: str
    premium: float


class Store:
    """The database. Every method runs on the store's own thread, one after the other."""

    def __init__(self, path: Path) -> None:
        """Opens `path` (its folder is made) and creates what is missing. Raises sqlite3.Error or OSError when that fails."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._db = sqlite3.connect(path, timeout=BUSY_LIMIT_S, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.executescript(SCHEMA)

    async def close(self) -> None:
        """Close the file; no method works afterwards."""
        await self._run(self._db.close)
        self._thread.shutdown(wait=False)

    async def save_quote(self, quote: Quote) -> None:
        """Keep `quote`, and forget quotes that were never bought and are no longer valid."""
        await self._run(lambda: self._save_quote(quote))

    async def quote(self, quote_id: str) -> Quote | None:
        """The quote, or None."""
        return await self._run(lambda: self._quote(quote_id))

    async def buy(self, policy_id: str, quote_id: str, carrier: str, now_s: float) -> Policy:
        """Buy `carrier`'s offer. Buying the same again returns the policy that is there. Raises CannotBuy."""
        return await self._run(lambda: self._buy(policy_id, quote_id, carrier, now_s))

    async def policies(self) -> list[Policy]:
        """The newest policies, newest first, MAX_POLICIES_SHOWN at most."""
        return await self._run(self._policies)

    async def _run(self, action: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, action)

    def _save_quote(self, quote: Quote) -> None:
        values = (quote.id, quote.created_at_s, quote.valid_until_s, json.dumps(quote.risk), json.dumps(quote.answer))
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            self._db.execute("DELETE FROM quotes WHERE bought = 0 AND valid_until_s < ?", (quote.created_at_s,))
            self._db.execute("INSERT INTO quotes (id, created_at_s, valid_until_s, risk, answer) VALUES (?, ?, ?, ?, ?)", values)

    def _quote(self, quote_id: str) -> Quote | None:
        row = self._db.execute("SELECT id, created_at_s, valid_until_s, risk, answer FROM quotes WHERE id = ?", (quote_id,)).fetchone()
        return None if row is None else Quote(row[0], row[1], row[2], json.loads(row[3]), json.loads(row[4]))

    def _buy(self, policy_id: str, quote_id: str, carrier: str, now_s: float) -> Policy:
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            bought = self._db.execute(f"SELECT {POLICY_COLUMNS} FROM policies WHERE quote_id = ?", (quote_id,)).fetchone()
            if bought is not None:
                policy = Policy(*bought)
                if policy.carrier != carrier:
                    raise CannotBuy(409, f"this quote was already bought from {policy.insurer}")
                return policy
            quote = self._quote(quote_id)
            if quote is None:
                raise CannotBuy(404, "there is no such quote")
            if quote.valid_until_s < now_s:
                raise CannotBuy(410, "this quote is no longer valid; ask for a new one")
            offer = next((offer for offer in quote.answer["offers"] if offer["carrier"] == carrier), None)
            if offer is None:
                raise CannotBuy(404, "this insurer made no offer on this quote")
            policy = Policy(policy_id, quote_id, now_s, carrier, offer["insurer"], offer["premium"])
            values = (policy.id, policy.quote_id, policy.bought_at_s, policy.carrier, policy.insurer, policy.premium)
            self._db.execute(f"INSERT INTO policies ({POLICY_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", values)
            self._db.execute("UPDATE quotes SET bought = 1 WHERE id = ?", (quote_id,))
            return policy

    def _policies(self) -> list[Policy]:
        query = f"SELECT {POLICY_COLUMNS} FROM policies ORDER BY bought_at_s DESC LIMIT ?"
        return [Policy(*row) for row in self._db.execute(query, (MAX_POLICIES_SHOWN,))]


POLICY_COLUMNS = "id, quote_id, bought_at_s, carrier, insurer, premium"
