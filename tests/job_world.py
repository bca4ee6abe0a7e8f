"""The embedded GitHub with an incident on it, and the commands of the jobs to be run against it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.__main__ import main
from bot.codec import to_json
from bot.journal import AttemptRecord, DiagnosisRecord, IncidentRecord, Record
from bot.local.github.git import Git
from bot.model import Diagnosis, Remedy
from bot.policy.testing import good_case
from bot.record import Keyring
from tests.local.bare import write_commits
from tests.local.github_world import World, world, write_files
from tests.policy.texts import TEXTS, load

BOT = "sre-space[bot]"
KEY = "marker-key"
KEYRING = Keyring(KEY.encode(), "alice/shop")
_incident = good_case(load()).incident
assert _incident is not None
INCIDENT: IncidentRecord = _incident
STARTED_S = 1_790_000_000.0
RATES, BROKEN = "a = 1\nb = 2\n", "a = 1\nb = 0\n"
MANIFEST = "dependencies:\n  bank:\n    timeout_s: 30\n    breaker:\n      enabled: false\n"


@dataclass
class Jobs:
    """main holds a good commit, a bad one and a harmless one; issue `number` is the incident, with its first attempt begun."""

    world: World
    folder: Path
    number: int = 0
    bad: str = ""
    base: str = ""
    env: dict[str, str] = field(default_factory=dict)

    async def run(self, *argv: str, **env: str) -> int:
        """A job: its own event loop in a thread of its own, as GitHub goes on here."""
        return await asyncio.to_thread(main, argv, self.env | env)

    async def push_main(self, files: Mapping[str, str | None], message: str) -> str:
        sha = await self.world.commit(files, message=message)
        await self.world.do("alice", "PATCH", "/git/refs/heads/main", {"sha": sha})
        return sha

    async def open_incident(self, incident: IncidentRecord = INCIDENT) -> int:
        body = f"It broke.\n\n{KEYRING.seal(incident, None)}\n"
        fields = {"title": "Errors in POST /orders", "body": body, "labels": ["sre:incident"]}
        return int((await self.world.do(BOT, "POST", "/issues", fields))["number"])

    async def record(self, number: int, record: Record) -> None:
        await self.world.do(BOT, "POST", f"/issues/{number}/comments", {"body": f"text\n\n{KEYRING.seal(record, number)}\n"})

    async def records(self, number: int, kind: type[Record]) -> list[Record]:
        comments = await self.world.do("alice", "GET", f"/issues/{number}/comments?per_page=100")
        return [r for comment in comments for r in KEYRING.read(comment["body"], number) if isinstance(r, kind)]

    async def pulls(self) -> list[Any]:
        return list(await self.world.do("alice", "GET", "/pulls?state=all"))

    async def state(self) -> Any:
        """All that people can see of the repository."""
        asked = ("/issues?state=all", "/issues/comments?per_page=100", "/pulls?state=all", "/git/matching-refs/heads/", "/commits")
        return [await self.world.do("alice", "GET", path) for path in asked]

    def revert(self, confidence: float = 0.97) -> Diagnosis:
        return Diagnosis("culprit", "new rates broke it", (), (), (), confidence, "brain", "", Remedy("revert", commit=self.bad))

    def diagnosis(self, found: Diagnosis | None = None, attempt: int = 1) -> Path:
        return self.file(to_json(DiagnosisRecord(attempt, found or self.revert(), self.base)))

    def file(self, content: Any) -> Path:
        path = self.folder / "diagnosis.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    async def apply(self, file: Path) -> int:
        return await self.run("apply", "--issue", str(self.number), "--attempt", "1", "--diagnosis", str(file))


@asynccontextmanager
async def jobs(tmp_path: Path) -> AsyncIterator[Jobs]:
    async with world(tmp_path, clock=time.time) as w:
        there = Jobs(w, tmp_path)
        files = {"app/shop/rates.py": RATES, "deploy/shop.yaml": MANIFEST}
        git = Git(w.github.git_dir)
        pushed = [(files, "begin"), ({"app/shop/rates.py": BROKEN}, "new rates"), ({"README.md": "more\n"}, "docs")]
        write_commits(git, "main", w.first, pushed, "alice")
        there.base, there.bad = git.run("rev-list", "--max-count=2", "main").decode().split()
        there.number = await there.open_incident()
        await there.record(there.number, AttemptRecord(1, STARTED_S))
        write_files(tmp_path, {f"policies/{name}.yaml": text for name, text in TEXTS.items()})
        there.env = {
            "SRE_GITHUB_TOKEN": w.tokens[BOT],
            "SRE_REPOSITORY": "alice/shop",
            "SRE_BOT_LOGIN": BOT,
            "SRE_MARKER_KEY": KEY,
            "GITHUB_API_URL": w.github.api_url,
            "GITHUB_SERVER_URL": w.github.web_url,
            "SRE_POLICIES_DIR": str(tmp_path / "policies"),
            "SRE_CHROMA_PATH": str(tmp_path / "chroma"),
        }
        yield there
