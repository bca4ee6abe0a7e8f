"""What a demo's incident was, in figures: read from the records on GitHub after it is over, never from what we hoped for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.ensure import read_entries
from bot.forge import Issue, Pull
from bot.journal import AttemptRecord, DiagnosisRecord, IncidentRecord, OutcomeRecord, PostMortemRecord, VerdictRecord
from bot.local.chaos import Injected
from bot.local.world import World
from bot.names import FixBranch

Json = dict[str, Any]


@dataclass(frozen=True)
class Report:
    """One incident. Times are Unix seconds, None for what did not happen."""

    fault: str
    injected_at: float
    injected_culprit: str  # what the loop was not told
    issue: int | None = None
    title: str = ""
    detected_at: float | None = None
    diagnosed_at: float | None = None
    culprit: str = ""
    cause: str = ""
    confidence: float | None = None
    answered_by: str = ""
    attempts: int = 0
    pull: int | None = None
    verdict: str = ""
    decided_at: float | None = None
    merged_at: float | None = None
    deployed_at: float | None = None
    healed_at: float | None = None
    remembered_at: float | None = None
    outcome: str = "open"
    serve_peak_mib: float = 0.0
    urls: tuple[tuple[str, str], ...] = ()

    @property
    def well(self) -> bool:
        """Healed, remembered, and the right culprit named."""
        return self.outcome == "healed" and self.remembered_at is not None and self.culprit == self.injected_culprit

    def seconds(self) -> dict[str, float | None]:
        def between(start: float | None, end: float | None) -> float | None:
            return None if start is None or end is None else round(max(0.0, end - start), 2)

        return {
            "detect": between(self.injected_at, self.detected_at),
            "diagnose": between(self.detected_at, self.diagnosed_at),
            "decide": between(self.diagnosed_at, self.decided_at),
            "merge": between(self.decided_at, self.merged_at),
            "heal": between(self.merged_at, self.healed_at),
            "total": between(self.injected_at, self.healed_at),
        }

    def as_json(self) -> Json:
        return {
            "fault": self.fault,
            "injected_at": self.injected_at,
            "detected_at": self.detected_at,
            "issue": self.issue,
            "diagnosed_at": self.diagnosed_at,
            "culprit": self.culprit,
            "confidence": self.confidence,
            "answered_by": self.answered_by,
            "pull": self.pull,
            "verdict": self.verdict,
            "merged_at": self.merged_at,
            "deployed_at": self.deployed_at,
            "healed_at": self.healed_at,
            "remembered_at": self.remembered_at,
            "outcome": self.outcome,
            "seconds": self.seconds(),
            "rss_mib": {"serve_peak": round(self.serve_peak_mib, 1)},
            "urls": dict(self.urls),
        }


async def read_report(world: World, injected: Injected, issue: Issue | None, incident: IncidentRecord | None) -> Report:
    """The report of one injected fault; with no issue, only that it was injected."""
    peak = world.serve.sample_memory()
    if issue is None or incident is None:
        return Report(injected.fault, injected.at_s, injected.culprit, serve_peak_mib=peak)
    entries = await read_entries(world.owner, world.keyring, issue.number, world.bot_login)
    attempts = [e.record.attempt for e in entries if isinstance(e.record, AttemptRecord)]
    last = max(attempts, default=0)
    diagnosis = next(
        ((e.record.diagnosis, e.at_s) for e in entries if isinstance(e.record, DiagnosisRecord) and e.record.attempt == last), None
    )
    outcome = next(
        (e.record for e in entries if isinstance(e.record, OutcomeRecord) and not e.record.undo and e.record.attempt == last), None
    )
    remembered = next((e.at_s for e in entries if isinstance(e.record, PostMortemRecord)), None)
    branch = FixBranch(incident.fingerprint, issue.number, last)
    pull: Pull | None = next(iter(await world.owner.pulls(branch=str(branch))), None)
    verdict, decided_s = await _verdict(world, pull)
    found = diagnosis[0] if diagnosis else None
    healed = outcome is not None and outcome.outcome == "healed"
    root = f"{world.github.web_url}/{world.github.full_name}"
    urls = [("issue", f"{root}/issues/{issue.number}"), *([("pull", f"{root}/pull/{pull.number}")] if pull else []), ("monitor", world.url)]
    return Report(
        fault=injected.fault,
        injected_at=injected.at_s,
        injected_culprit=injected.culprit,
        issue=issue.number,
        title=issue.title,
        detected_at=incident.signal.detected_s,
        diagnosed_at=diagnosis[1] if diagnosis else None,
        culprit=found.suspects[0].name if found and found.suspects else "",
        cause=found.cause if found else "",
        confidence=round(found.confidence, 4) if found else None,
        answered_by=found.answered_by if found else "",
        attempts=len(attempts),
        pull=pull.number if pull else None,
        verdict=verdict,
        decided_at=decided_s,
        merged_at=_merged_s(pull, decided_s),
        deployed_at=outcome.serving_s if outcome else None,
        healed_at=outcome.at_s if healed and outcome else None,
        remembered_at=remembered,
        outcome=str(outcome.outcome) if outcome else "open",
        serve_peak_mib=peak,
        urls=tuple(urls),
    )


def _merged_s(pull: Pull | None, decided_s: float | None) -> float | None:
    """GitHub's times are cut to whole seconds: a merge in the second of its verdict is not shown as older than that."""
    if pull is None or pull.state != "merged" or pull.closed_s is None:
        return None
    same_second = decided_s is not None and 0.0 < decided_s - pull.closed_s < 1.0
    return decided_s if same_second else pull.closed_s


async def _verdict(world: World, pull: Pull | None) -> tuple[str, float | None]:
    if pull is None:
        return "", None
    found = [e for e in await read_entries(world.owner, world.keyring, pull.number, world.bot_login) if isinstance(e.record, VerdictRecord)]
    last = found[-1] if found else None
    return (str(last.record.verdict.decision), last.at_s) if last and isinstance(last.record, VerdictRecord) else ("", None)
