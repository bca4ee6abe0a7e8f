"""Check runs: made by Apps and by Actions, announced when created and when completed."""

from __future__ import annotations

from dataclasses import replace

from bot.local.contracts import CheckRunUpdate
from bot.local.github.conversation import announce
from bot.local.github.hub import Actor, Hub
from bot.local.github.nouns import CheckRun
from bot.local.github.shapes_pull import check_run_json

ACTIONS_APP = "github-actions"


def save_check_run(hub: Hub, actor: Actor, run: CheckRun) -> CheckRun:
    """Stores a new or changed check run and announces `created`, and `completed` when it just became so."""
    known = hub.store.check_runs.get(run.id)
    hub.store.check_runs[run.id] = run
    if known is None:
        announce(hub, actor, "check_run", "created", {"check_run": check_run_json(hub, run)})
    if run.status == "completed" and (known is None or known.status != "completed"):
        announce(hub, actor, "check_run", "completed", {"check_run": check_run_json(hub, run)})
    return run


def from_actions(hub: Hub, check_run_id: int | None, update: CheckRunUpdate) -> int:
    """What Actions reports of a job: creates (None) or changes its check run. Raises LookupError for an id it did not make."""
    if check_run_id is None:
        run = CheckRun(hub.store.next_id(), ACTIONS_APP, update.name, update.head_sha, "queued", None, None, None)
    else:
        run = hub.store.check_runs[check_run_id]
        if run.app != ACTIONS_APP:
            raise LookupError(f"check run {check_run_id} is not one of Actions")
    changed = replace(
        run,
        name=update.name,
        head_sha=update.head_sha,
        status=update.status,
        conclusion=update.conclusion,
        started_at=update.started_at,
        completed_at=update.completed_at,
        title=update.title or None,
        summary=update.summary or None,
        details_url=update.details_url or None,
        external_id=update.external_id,
    )
    return save_check_run(hub, hub.actions_actor(), changed).id
