"""Small cases with made-up services: `shop → pricing → hub → depot-*`, one story of a dependency that hangs, one of a bad commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from bot.diagnosis.case import Case, Change
from bot.errors import Missing
from bot.evidence import DeployMark, EdgeStat, ErrorGroup, Evidence, SpanView, TraceView
from bot.forge import Account, ChangedFile, CheckRun, Comment, Commit, Comparison, Issue, Pull, Reaction, WorkflowRun
from bot.journal import IncidentRecord
from bot.model import Measurement, Objective, OutcomeKind, PostMortem, Remedy, Signal, SignalKind
from bot.policy.load import load_directory
from bot.policy.schema import Policies, ServiceSpec
from bot.signature import fingerprint

NOW_S = 1_700_000_000.0
FIRST_BAD_S = NOW_S - 12.0
OBJECTIVE = Objective("shop", "POST /orders", p99_ms=1500, error_ratio=0.02, window_s=10, min_requests=15, min_bad=5)
MANIFEST = """\
# How the hub treats its depots.
service: hub
dependencies:
  depot-north:
    timeout_s: 30 # seconds
    breaker: # after `failures` failures
      enabled: false
      failures: 5
    fallback: none # or omit
  depot-south:
    timeout_s: 30
    breaker:
      enabled: false
      failures: 5
    fallback: none

# the end
"""


@lru_cache
def policies() -> Policies:
    """The policies as they are shipped, with the objective and the services of these stories."""
    services = (
        ServiceSpec("shop", ("app/shop/**", "app/common/**")),
        ServiceSpec("pricing", ("app/pricing/**", "app/common/**")),
        ServiceSpec("hub", ("app/hub/**", "app/common/**", "deploy/hub.yaml"), "deploy/hub.yaml"),
    )
    return replace(load_directory(Path(__file__).parents[2] / "policies"), objectives=(OBJECTIVE,), services=services)


def measured(p99_ms: float | None, errors: int = 0, requests: int = 100) -> Measurement:
    return Measurement(NOW_S - 600, NOW_S, requests, errors, 0, p99_ms, p99_ms)


def incident(kind: SignalKind, evidence: Evidence, before: Measurement, now: Measurement) -> IncidentRecord:
    signal = Signal(kind, OBJECTIVE, before, now, FIRST_BAD_S, NOW_S)
    return IncidentRecord(fingerprint(signal.service, signal.operation, kind.value), signal, evidence)


def edge(
    n: int, caller: str, peer: str, before_ms: float | None, now_ms: float | None, *, errors: int = 0, kinds: tuple[str, ...] = ()
) -> EdgeStat:
    before = 200 if before_ms is not None else 0
    return EdgeStat(f"e{n}", caller, "POST /orders", peer, before, before_ms, before_ms, 0, 40, now_ms, now_ms, errors, None, kinds)


def span(n: int, service: str, kind: str, ms: float, *, peer: str = "", error: bool = False) -> SpanView:
    assert kind in ("client", "server")
    return SpanView(
        f"s{n}",
        service,
        "POST /orders",
        "client" if kind == "client" else "server",
        None,
        1.0,
        ms,
        error,
        500 if error else 200,
        "",
        peer,
        "",
    )


def hang_evidence(hanging: str = "depot-north", *, normal_ms: float = 210.0) -> Evidence:
    """Depot `hanging` does not answer; customers give up after six seconds."""
    depots = ("depot-north", "depot-south", "depot-west")
    edges = [edge(1, "shop", "pricing", 260, 6020), edge(2, "pricing", "hub", 240, 6010)]
    edges += [edge(3 + i, "hub", depot, normal_ms, 6000 if depot == hanging else normal_ms + 10) for i, depot in enumerate(depots)]
    spans = (
        span(1, "shop", "server", 6030),
        span(2, "shop", "client", 6020, peer="pricing"),
        span(3, "hub", "client", 6000, peer=hanging),
        span(4, "hub", "client", 190, peer="depot-west" if hanging != "depot-west" else "depot-south"),
    )
    return Evidence(NOW_S, traces=(TraceView("t1", True, FIRST_BAD_S, spans),), edges=tuple(edges))


def hang_case(evidence: Evidence | None = None, manifest: str | None = MANIFEST) -> Case:
    evidence = evidence if evidence is not None else hang_evidence()
    record = incident(SignalKind.LATENCY, evidence, measured(300), measured(6100))
    return Case(record, evidence, (), (("hub", manifest),) if manifest is not None else (), "f" * 40)


def sha(n: int) -> str:
    return f"{n:x}".rjust(2, "a") * 20


BAD, TEXT_ONLY, SAME_FILE = sha(1), sha(2), sha(3)
BAD_PATCH = """\
@@ -38,7 +38,8 @@ def loyalty(years):
     a
     b
     c
-    return RATES[years]
+    table = FACTORS
+    return table[years]
     d
     e
     f"""
LATER_PATCH = """\
@@ -1,3 +1,5 @@
 a
+# one more
+# comment
 b
 c
@@ -118,3 +120,4 @@
 x
 y
+LIMIT = 3
 z"""


def commit(number: str, *files: ChangedFile, message: str = "Tidy up") -> Commit:
    return Commit(number, message, "dev", "Dev", NOW_S - 100, ("0" * 40,), files)


def bad_changes(deploys: tuple[str, ...] = ("d1", "d2")) -> tuple[Change, ...]:
    """A bad commit to pricing, then one to the shop's text, then one to the same file far from the bad lines; all in one deploy."""
    return (
        Change(commit(BAD, ChangedFile("app/pricing/rates.py", "modified", 2, 1, patch=BAD_PATCH)), deploys, ("pricing",)),
        Change(commit(TEXT_ONLY, ChangedFile("app/shop/page.py", "modified", 1, 1, patch="@@ -3 +3 @@\n-a\n+b")), deploys, ("shop",)),
        Change(commit(SAME_FILE, ChangedFile("app/pricing/rates.py", "modified", 3, 0, patch=LATER_PATCH)), deploys, ("pricing",)),
    )


def error_group(first_seen_s: float = FIRST_BAD_S + 0.2, ran: str = SAME_FILE, before_count: int = 0) -> ErrorGroup:
    frames = (
        "app/pricing/api.py:quote:20",
        "app/pricing/rates.py:premium:80",
        "app/pricing/rates.py:loyalty:44",
        "/usr/lib/python3/x.py:get:3",
    )
    return ErrorGroup("x1", "pricing", "POST /price", "KeyError", "17", frames, 30, before_count, first_seen_s, ran)


def bad_evidence(deployed_s: float = FIRST_BAD_S - 0.5) -> Evidence:
    """Pricing raises since its newest deploy; the shop passes the 500 on."""
    marks = tuple(DeployMark(f"d{i}", service, SAME_FILE, "0" * 40, deployed_s) for i, service in ((1, "pricing"), (2, "shop"), (3, "hub")))
    edges = (
        edge(1, "shop", "pricing", 200, 40, errors=30, kinds=("500",)),
        edge(2, "pricing", "hub", 180, 180),
    )
    spans = (span(1, "shop", "server", 50, error=True), span(2, "shop", "client", 40, peer="pricing", error=True))
    return Evidence(NOW_S, (TraceView("t1", True, FIRST_BAD_S, spans),), edges, (error_group(),), marks)


def bad_case(evidence: Evidence | None = None, changes: tuple[Change, ...] | None = None) -> Case:
    evidence = evidence if evidence is not None else bad_evidence()
    record = incident(SignalKind.ERRORS, evidence, measured(300), measured(280, errors=75))
    return Case(record, evidence, changes if changes is not None else bad_changes(), (("hub", MANIFEST),), "f" * 40)


def remembered(issue: int, signature: str, outcome: OutcomeKind, remedy: Remedy | None = None, text: str = "hub hangs") -> PostMortem:
    kind = remedy if remedy is not None else Remedy("bound-dependency", service="hub", dependency="depot-south")
    healed_s = NOW_S - 5000 + issue if outcome is OutcomeKind.HEALED else None
    return PostMortem(issue, signature, "Orders slow", "A depot hung.", kind, outcome, "brain", 0.97, NOW_S - 5000 + issue, healed_s, text)


@dataclass
class Repository:
    """A ForgeReader over dictionaries: `trees` holds each commit's files, `log` the default branch, oldest first."""

    trees: dict[str, dict[str, str]]
    log: list[Commit] = field(default_factory=list)
    repository: str = "acme/shop"
    asked: list[str] = field(default_factory=list)

    async def default_branch(self) -> str:
        return "main"

    async def branch_sha(self, branch: str) -> str | None:
        return self.log[-1].sha if self.log and branch == "main" else None

    async def read_file(self, path: str, ref: str) -> str | None:
        return self.trees[ref].get(path)

    async def commit(self, ref: str) -> Commit:
        self.asked.append(ref)
        found = next((one for one in self.log if one.sha == ref), None)
        if found is None:
            raise Missing(f"no commit {ref}")
        return found

    async def commits(self, *, branch: str, path: str | None = None, limit: int = 30) -> Sequence[Commit]:
        return self.log[::-1][:limit]

    async def compare(self, base: str, head: str) -> Comparison:
        shas = [one.sha for one in self.log]
        if base not in shas or head not in shas:
            raise Missing("no such commit")
        return Comparison("ahead", tuple(self.log[shas.index(base) + 1 : shas.index(head) + 1]))

    async def me(self) -> Account:
        return Account("bot", True)

    async def permission(self, login: str) -> str:
        return "read"

    async def issue(self, number: int) -> Issue:
        raise Missing("no issues here")

    async def issues(self, *, label: str, state: str = "open", since_s: float | None = None) -> Sequence[Issue]:
        return ()

    async def comments(self, number: int) -> Sequence[Comment]:
        return ()

    async def reactions(self, comment_id: int) -> Sequence[Reaction]:
        return ()

    async def pull(self, number: int) -> Pull:
        raise Missing("no pull requests here")

    async def pulls(self, *, branch: str) -> Sequence[Pull]:
        return ()

    async def pull_files(self, number: int) -> Sequence[ChangedFile]:
        return ()

    async def branches(self, prefix: str) -> Sequence[tuple[str, str]]:
        return ()

    async def recent_pulls(self) -> Sequence[Pull]:
        return ()

    async def pulls_of_commit(self, sha: str) -> Sequence[Pull]:
        return ()

    async def runs(self, workflow: str, *, head_sha: str | None = None, event: str | None = None) -> Sequence[WorkflowRun]:
        return ()

    async def check_runs(self, sha: str) -> Sequence[CheckRun]:
        return ()
