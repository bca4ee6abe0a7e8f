"""The outside, as narrow protocols. Adapters are built in `bot/wiring.py` and nowhere else.

All Forge writes are plain; making them idempotent (look by marker, create, look again; compare before swapping) is the business of
`bot/ensure.py`, above the port, where the simulator can break it. Every method raises `Retry` (network, 5xx, rate limit), `Refused` (4xx
with GitHub's message), `Conflict` (409, 422 exists, 405 not mergeable) or `Missing` (404); nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from bot.evidence import Evidence, ServiceCall
from bot.forge import Account, ChangedFile, CheckRun, Comment, Commit, Comparison, Issue, Pull, Reaction, WorkflowRun
from bot.model import Deploy, Event, Health, Measurement, Opinion, PostMortem, Signal

if TYPE_CHECKING:
    from bot.diagnosis.budget import Meter
    from bot.diagnosis.case import Case


class Clock(Protocol):
    def now(self) -> float:
        """Unix seconds."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class ForgeReader(Protocol):
    """What Scout, Brain, Guardrail and Jules may use of GitHub: nothing that writes."""

    @property
    def repository(self) -> str:
        """ "owner/name"."""
        ...

    async def me(self) -> Account: ...
    async def default_branch(self) -> str: ...
    async def permission(self, login: str) -> str:
        """admin | write | read | none (maintain counts as write, triage as read)."""
        ...

    async def issue(self, number: int) -> Issue: ...
    async def issues(self, *, label: str, state: str = "open", since_s: float | None = None) -> Sequence[Issue]:
        """Issues with that label (no pull requests), oldest first. `state`: open | closed | all."""
        ...

    async def comments(self, number: int) -> Sequence[Comment]:
        """Oldest first; of an issue or a pull request."""
        ...

    async def reactions(self, comment_id: int) -> Sequence[Reaction]: ...
    async def pull(self, number: int) -> Pull: ...
    async def pulls(self, *, branch: str) -> Sequence[Pull]:
        """All pull requests (any state) whose head is exactly this branch of this repository, oldest first."""
        ...

    async def recent_pulls(self) -> Sequence[Pull]:
        """The 100 youngest pull requests of any state, newest first."""
        ...

    async def pull_files(self, number: int) -> Sequence[ChangedFile]: ...
    async def branch_sha(self, branch: str) -> str | None: ...
    async def branches(self, prefix: str) -> Sequence[tuple[str, str]]:
        """(branch, sha) of all branches whose name begins with `prefix`."""
        ...

    async def commit(self, ref: str) -> Commit: ...
    async def commits(self, *, branch: str, path: str | None = None, limit: int = 30) -> Sequence[Commit]:
        """Newest first."""
        ...

    async def compare(self, base: str, head: str) -> Comparison: ...
    async def read_file(self, path: str, ref: str) -> str | None:
        """UTF-8 text; None when the path does not exist at that ref. Refused for binary or > 1 MiB."""
        ...

    async def pulls_of_commit(self, sha: str) -> Sequence[Pull]: ...
    async def runs(self, workflow: str, *, head_sha: str | None = None, event: str | None = None) -> Sequence[WorkflowRun]:
        """Runs of one workflow file (its name under .github/workflows), newest first, at most 100."""
        ...

    async def check_runs(self, sha: str) -> Sequence[CheckRun]: ...


class IssueWriter(Protocol):
    """The right to write issues and comments (Curator, Human, Jules)."""

    async def create_issue(self, title: str, body: str, labels: Sequence[str]) -> Issue: ...
    async def update_issue(
        self, number: int, *, title: str | None = None, body: str | None = None, state: str | None = None, reason: str | None = None
    ) -> None: ...
    async def add_labels(self, number: int, labels: Sequence[str]) -> None: ...
    async def remove_label(self, number: int, label: str) -> None: ...
    async def create_comment(self, number: int, body: str) -> Comment: ...
    async def update_comment(self, comment_id: int, body: str) -> None: ...
    async def delete_comment(self, comment_id: int) -> None: ...
    async def react(self, comment_id: int, content: str) -> None: ...


class CodeWriter(Protocol):
    """The right to write branches and pull requests and to merge (Fixer alone)."""

    async def create_commit(
        self, *, parent: str, changes: Mapping[str, str | None], message: str, author_name: str, author_email: str, at_s: float
    ) -> str:
        """Blobs, tree and commit by the git data API; nothing points at it yet. The same arguments give the same sha."""
        ...

    async def create_branch(self, branch: str, sha: str) -> None:
        """Conflict when it exists."""
        ...

    async def create_pull(self, *, branch: str, base: str, title: str, body: str) -> Pull:
        """Conflict when there is one already for that branch."""
        ...

    async def update_pull(self, number: int, *, body: str | None = None, state: str | None = None) -> None: ...
    async def merge(self, number: int, *, sha: str, title: str, message: str) -> str:
        """Squash-merges and returns the merge commit. Conflict: head moved (409) or not mergeable (405)."""
        ...


class WorkflowStarter(Protocol):
    async def dispatch(self, workflow: str, *, ref: str, inputs: Mapping[str, str]) -> int:
        """Starts a workflow_dispatch run; its id, or 0 when GitHub does not say."""
        ...

    async def rerun(self, run_id: int) -> None: ...


class Forge(ForgeReader, IssueWriter, CodeWriter, WorkflowStarter, Protocol):
    """All of GitHub that we use. Only the loop holds it whole."""


class Telemetry(Protocol):
    """What Scout knows. Read-only; answers at once from memory."""

    def signals(self, now_s: float) -> Sequence[Signal]:
        """The objectives that are broken now."""
        ...

    def health(self, service: str, operation: str, now_s: float, incident: Signal | None = None) -> tuple[Health, Measurement | None]:
        """`incident`: the signal that an open incident has recorded. What nobody wrote an objective for is judged by the one in there,
        also by a process that has never learnt it."""
        ...

    def measure(self, service: str, operation: str, start_s: float, end_s: float, incident: Signal | None = None) -> Measurement | None:
        """Requests that *started* in [start_s, end_s); None without an objective for the operation. `incident` as for `health`."""
        ...

    def serving(self, service: str, now_s: float) -> tuple[str, float] | None:
        """The commit that the service answers with now, and since when; None when it has not been heard of lately."""
        ...

    def evidence(self, signal: Signal, now_s: float) -> Evidence: ...
    def service_calls(self, since_s: float, now_s: float) -> Sequence[ServiceCall]:
        """Which operation calls which service, and which of these calls got worse since `since_s`."""
        ...


class Bus(Protocol):
    """Wakes people up and carries what is said. Losing a message costs time, never correctness."""

    def publish(self, topic: str, message: str) -> None:
        """Returns at once."""
        ...

    async def receive(self, topic: str, timeout_s: float) -> tuple[str, ...]:
        """What was published on the topic since the last call, oldest first; () after `timeout_s` seconds of silence."""
        ...


class EventSink(Protocol):
    """Where agents say what they think."""

    def say(self, event: Event) -> None: ...


class Platform(Protocol):
    """Where the services run. Facts about what serves come from telemetry; this is for acting on the platform itself."""

    async def deploys(self, service: str, limit: int = 10) -> Sequence[Deploy]:
        """Newest first."""
        ...

    async def roll_back(self, service: str, commit: str) -> None: ...
    async def set_auto_deploy(self, service: str, on: bool) -> None: ...


class Recall(Protocol):
    """Past incidents by similarity: all that Brain may do with the memory."""

    def recall(self, text: str, limit: int) -> Sequence[tuple[PostMortem, float]]:
        """Most similar first, with a similarity 0..1."""
        ...

    def count(self) -> int: ...


class Memory(Recall, Protocol):
    """A cache: `rebuild` from GitHub loses nothing. Only the Curator writes it."""

    def remember(self, post_mortem: PostMortem) -> None: ...
    def sync(self, post_mortems: Iterable[PostMortem]) -> None:
        """Adds what is missing and replaces what says something else."""
        ...

    def rebuild(self, post_mortems: Iterable[PostMortem]) -> None: ...


class Reasoner(Protocol):
    """Names a cause from evidence. May be a model; what it says is challenged and weighed by code that is not."""

    @property
    def name(self) -> str: ...
    def opine(self, case: Case, meter: Meter) -> Opinion:
        """What it thinks now, and what it wants to have looked up; what was is in `case.found`.

        Every request is begun with `meter`. Raises Retry (time-out, rate limit, 5xx) or Refused (no key, budget spent, unusable answer).
        """
        ...
