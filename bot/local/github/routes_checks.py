"""REST routes of check runs, check suites and the combined status of a commit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.local.github.access import NOT_BY_INTEGRATION
from bot.local.github.app import Operation, operation
from bot.local.github.checks import save_check_run
from bot.local.github.gitread import commit_at
from bot.local.github.hub import parse_iso
from bot.local.github.nouns import CheckRun, Json
from bot.local.github.rest import ApiError, Call, Reply, invalid, not_found, paged
from bot.local.github.shapes import repository_json
from bot.local.github.shapes_git import push_commit_json
from bot.local.github.shapes_pull import app_json, check_run_json, suite_json

_STATUSES = ("queued", "in_progress", "completed")
_CONCLUSIONS = ("success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required")
_TEXT_LIMIT = 65_535
_ANNOTATIONS_LIMIT = 50


def _time_field(call: Call, name: str) -> float | None:
    text = call.optional_text(name)
    at_s = parse_iso(text) if text else None
    if text and at_s is None:
        raise ApiError(422, f"Invalid request.\n\n{name} is not an ISO 8601 time.")
    return at_s


def _changed(call: Call, run: CheckRun) -> CheckRun:
    """The run with what the body says. A conclusion completes it; completing needs one."""
    conclusion = call.optional_text("conclusion")
    status = "completed" if conclusion else call.text("status", run.status)
    if status not in _STATUSES:
        raise invalid("CheckRun", "status", "invalid")
    conclusion = conclusion or (run.conclusion if status == "completed" else None)
    if (status == "completed") != (conclusion is not None) or (conclusion and conclusion not in _CONCLUSIONS):
        raise invalid("CheckRun", "conclusion", "invalid")
    now = call.hub.clock()
    run = replace(
        run,
        name=call.text("name", run.name),
        status=status,
        conclusion=conclusion,
        started_at=_time_field(call, "started_at") or run.started_at or (now if status != "queued" else None),
        completed_at=_time_field(call, "completed_at") or run.completed_at or (now if status == "completed" else None),
        details_url=call.optional_text("details_url") or run.details_url,
        external_id=call.text("external_id", run.external_id),
    )
    output = call.fields().get("output")
    return run if output is None else _with_output(run, output)


def _with_output(run: CheckRun, output: Any) -> CheckRun:
    if not isinstance(output, dict):
        raise ApiError(422, "Invalid request.\n\noutput is not an object.")
    texts = {name: output.get(name) for name in ("title", "summary", "text")}
    for name, text in texts.items():
        if text is not None and (not isinstance(text, str) or len(text) > _TEXT_LIMIT):
            raise ApiError(422, f"Invalid request.\n\noutput.{name} is not a text of at most {_TEXT_LIMIT} characters.")
    annotations = output.get("annotations") or []
    if not isinstance(annotations, list) or len(annotations) > _ANNOTATIONS_LIMIT:
        raise ApiError(422, f"Invalid request.\n\nNo more than {_ANNOTATIONS_LIMIT} annotations in one request.")
    given = {name: text for name, text in texts.items() if text is not None}
    return replace(run, **given, annotations=(*run.annotations, *annotations))


def create_check_run(call: Call) -> Reply:
    slug = call.actor.user.slug if call.actor.user else ""
    head_sha = call.text("head_sha")
    if call.hub.git.object(head_sha, "commit") is None:
        raise ApiError(422, f"No commit found for SHA: {head_sha}")
    blank = CheckRun(call.hub.store.next_id(), slug, call.text("name"), head_sha, "queued", None, None, None)
    return Reply(check_run_json(call.hub, save_check_run(call.hub, call.actor, _changed(call, blank))), 201)


def _run_of(call: Call) -> CheckRun:
    run = call.hub.store.check_runs.get(call.number("id"))
    if run is None:
        raise not_found()
    return run


def get_check_run(call: Call) -> Reply:
    return Reply(check_run_json(call.hub, _run_of(call)))


def update_check_run(call: Call) -> Reply:
    run = _run_of(call)
    if call.actor.user is None or run.app != call.actor.user.slug:
        raise ApiError(403, NOT_BY_INTEGRATION)
    return Reply(check_run_json(call.hub, save_check_run(call.hub, call.actor, _changed(call, run))))


def list_annotations(call: Call) -> Reply:
    return paged(call, _run_of(call).annotations, lambda annotation: annotation)


def _runs_for(call: Call) -> tuple[str, list[CheckRun]]:
    sha = call.hub.git.resolve(call.params["ref"])
    if sha is None:
        raise ApiError(422, f"No commit found for SHA: {call.params['ref']}")
    return sha, sorted((run for run in call.hub.store.check_runs.values() if run.head_sha == sha), key=lambda run: -run.id)


def list_check_runs(call: Call) -> Reply:
    """Newest first; with the default `filter=latest`, only the newest of each App and name."""
    _, runs = _runs_for(call)
    name, status, app_id = (call.query.get(key) for key in ("check_name", "status", "app_id"))
    runs = [run for run in runs if name in (None, run.name) and status in (None, run.status)]
    runs = [run for run in runs if app_id in (None, str(app_json(call.hub, run.app)["id"]))]
    if call.choice("filter", ("latest", "all"), "latest") == "latest":
        newest: dict[tuple[str, str], CheckRun] = {}
        for run in runs:
            newest.setdefault((run.app, run.name), run)
        runs = list(newest.values())
    return paged(call, runs, lambda run: check_run_json(call.hub, run), key="check_runs")


def list_check_suites(call: Call) -> Reply:
    sha, runs = _runs_for(call)
    suites = [[run for run in runs if run.app == app] for app in sorted({run.app for run in runs})]
    return paged(call, suites, lambda suite: _suite_json(call, sha, suite), key="check_suites")


def _suite_json(call: Call, sha: str, runs: list[CheckRun]) -> Json:
    return {
        **suite_json(call.hub, sha, runs),
        "head_commit": push_commit_json(call.hub, commit_at(call.hub.git, sha), {}),
        "repository": repository_json(call.hub),
    }


def combined_status(call: Call) -> Reply:
    """Commit statuses, the older kind; nobody here writes any, and without any GitHub says `pending`."""
    sha, _ = _runs_for(call)
    url = f"{call.hub.api}/commits/{sha}"
    body = {"state": "pending", "statuses": [], "sha": sha, "total_count": 0, "repository": repository_json(call.hub)}
    return Reply({**body, "commit_url": url, "url": f"{url}/status"})


OPERATIONS: tuple[Operation, ...] = (
    operation("POST", "/check-runs", create_check_run, "write", "checks"),
    operation("GET", "/check-runs/{id}", get_check_run, "read", "checks"),
    operation("PATCH", "/check-runs/{id}", update_check_run, "write", "checks"),
    operation("GET", "/check-runs/{id}/annotations", list_annotations, "read", "checks"),
    operation("GET", "/commits/{ref:path}/check-runs", list_check_runs, "read", "checks"),
    operation("GET", "/commits/{ref:path}/check-suites", list_check_suites, "read", "checks"),
    operation("GET", "/commits/{ref:path}/status", combined_status, "read", "statuses"),
)
