"""GitHub's JSON shapes for pull requests and check runs."""

from __future__ import annotations

from collections.abc import Sequence

from bot.local.github.hub import Hub, iso, iso_or_none
from bot.local.github.nouns import CheckRun, Json, Pull, User
from bot.local.github.shapes import (
    account_json,
    association,
    issue_json,
    node_id,
    owner_json,
    repository_json,
)

_SHARED_WITH_ISSUE = ("title", "body", "user", "labels", "assignee", "assignees", "milestone", "locked", "active_lock_reason", "state")


def pull_json(hub: Hub, pull: Pull) -> Json:
    """As lists and webhooks carry it; `GET pulls/N` adds what must be computed (see `pulls.full_pull_json`)."""
    issue = hub.store.issues[pull.number]
    conversation = issue_json(hub, issue)
    url, html, issue_url = f"{hub.api}/pulls/{pull.number}", f"{hub.html}/pull/{pull.number}", f"{hub.api}/issues/{pull.number}"
    links = {
        "self": url,
        "html": html,
        "issue": issue_url,
        "comments": f"{issue_url}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": f"{hub.api}/pulls/comments{{/number}}",
        "commits": f"{url}/commits",
        "statuses": f"{hub.api}/statuses/{pull.head_sha}",
    }
    return {
        "url": url,
        "id": pull.id,
        "node_id": node_id("PullRequest", pull.id),
        "html_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "issue_url": issue_url,
        "commits_url": links["commits"],
        "review_comments_url": links["review_comments"],
        "review_comment_url": links["review_comment"],
        "comments_url": links["comments"],
        "statuses_url": links["statuses"],
        "number": pull.number,
        **{name: conversation[name] for name in _SHARED_WITH_ISSUE},
        "draft": pull.draft,
        "created_at": iso(issue.created_at),
        "updated_at": iso(issue.updated_at),
        "closed_at": iso_or_none(issue.closed_at),
        "merged_at": iso_or_none(pull.merged_at),
        "merge_commit_sha": pull.merge_commit_sha,
        "requested_reviewers": [],
        "requested_teams": [],
        "head": _side(hub, pull.head, pull.head_sha),
        "base": _side(hub, pull.base, pull.base_sha),
        "_links": {name: {"href": href} for name, href in links.items()},
        "author_association": association(hub, issue.author),
        "auto_merge": None,
    }


def _side(hub: Hub, branch: str, sha: str) -> Json:
    owner = owner_json(hub)
    return {"label": f"{hub.owner}:{branch}", "ref": branch, "sha": sha, "user": owner, "repo": repository_json(hub)}


def merge_facts_json(hub: Hub, pull: Pull) -> Json:
    """The fields of the full shape that the record alone answers."""
    return {
        "merged": pull.merged_at is not None,
        "merged_by": account_json(hub, pull.merged_by) if pull.merged_by else None,
        "comments": len(hub.store.comments_of(pull.number)),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "rebaseable": None,
    }


def app_json(hub: Hub, slug: str) -> Json:
    user = hub.user(f"{slug}[bot]") or hub.user(slug) or User(1, slug, "none", "Bot", 0.0)
    return {
        "id": user.id,
        "slug": slug,
        "node_id": node_id("App", user.id),
        "owner": owner_json(hub),
        "name": "GitHub Actions" if slug == "github-actions" else slug,
        "description": "",
        "external_url": hub.web_url,
        "html_url": f"{hub.web_url}/apps/{slug}",
        "created_at": iso(user.created_at),
        "updated_at": iso(user.created_at),
        "permissions": {"checks": "write"},
        "events": [],
    }


def check_run_json(hub: Hub, run: CheckRun) -> Json:
    url, html = f"{hub.api}/check-runs/{run.id}", f"{hub.html}/runs/{run.id}"
    pulls = [pull for pull in hub.store.open_pulls() if pull.head_sha == run.head_sha]
    suite = [other for other in hub.store.check_runs.values() if (other.app, other.head_sha) == (run.app, run.head_sha)]
    return {
        "id": run.id,
        "node_id": node_id("CheckRun", run.id),
        "name": run.name,
        "head_sha": run.head_sha,
        "external_id": run.external_id,
        "url": url,
        "html_url": run.details_url or html,
        "details_url": run.details_url or html,
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": iso_or_none(run.started_at),
        "completed_at": iso_or_none(run.completed_at),
        "output": {
            "title": run.title,
            "summary": run.summary,
            "text": run.text,
            "annotations_count": len(run.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": suite_json(hub, run.head_sha, suite),
        "app": app_json(hub, run.app),
        "pull_requests": [minimal_pull_json(hub, pull) for pull in pulls],
    }


def suite_json(hub: Hub, sha: str, runs: Sequence[CheckRun]) -> Json:
    """The suite of one App's check runs on a commit, known by the id of the first."""
    number = min(run.id for run in runs)
    done = all(run.status == "completed" for run in runs)
    failed = [run.conclusion for run in runs if run.conclusion not in ("success", "neutral", "skipped")]
    started = iso(min(run.started_at or hub.clock() for run in runs))
    url = f"{hub.api}/check-suites/{number}"
    pulls = [pull for pull in hub.store.pulls.values() if pull.head_sha == sha]
    return {
        "id": number,
        "node_id": node_id("CheckSuite", number),
        "head_branch": pulls[-1].head if pulls else None,
        "head_sha": sha,
        "status": "completed" if done else "in_progress",
        "conclusion": (failed[0] if failed else "success") if done else None,
        "url": url,
        "before": None,
        "after": None,
        "pull_requests": [],
        "app": app_json(hub, runs[0].app),
        "created_at": started,
        "updated_at": started,
        "latest_check_runs_count": len(runs),
        "check_runs_url": f"{url}/check-runs",
    }


def minimal_pull_json(hub: Hub, pull: Pull) -> Json:
    repo = {"id": 1, "url": hub.api, "name": hub.name}
    return {
        "id": pull.id,
        "number": pull.number,
        "url": f"{hub.api}/pulls/{pull.number}",
        "head": {"ref": pull.head, "sha": pull.head_sha, "repo": repo},
        "base": {"ref": pull.base, "sha": pull.base_sha, "repo": repo},
    }
