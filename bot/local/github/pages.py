"""What a person reads in the browser: issues, pull requests, commits, runs. Rendered from the record, no JavaScript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.local.github.git import EMPTY_TREE
from bot.local.github.gitread import Commit, commit_at, diff, list_tree
from bot.local.github.hub import Hub, iso_of
from bot.local.github.markdown import reference_html
from bot.local.github.nouns import CheckRun, Issue, Pull
from bot.local.github.page import View, badge, box, escape, files_html, labels_html, page, rows, when
from bot.local.github.pulls import can_merge, commits_of, span, unmet_checks


def issue_page(view: View, issue: Issue) -> str:
    """One issue with its comments."""
    head = _title(issue.title, issue.number) + _state_line(issue, None) + _labels(view.hub, issue)
    return page(view, f"{issue.title} · Issue #{issue.number}", head + _conversation(view, issue))


def pull_page(view: View, pull: Pull) -> str:
    """One pull request: conversation, checks, commits, files with their diff."""
    hub, issue = view.hub, view.hub.store.issues[pull.number]
    head = _title(issue.title, issue.number) + _state_line(issue, pull) + _labels(hub, issue)
    commits = [commit_at(hub.git, sha) for sha in commits_of(hub, pull)]
    files = diff(hub.git, *span(hub, pull))
    parts = [
        head,
        _conversation(view, issue),
        '<h2 class="section">Checks</h2>',
        rows([_check_row(view, run) for run in _latest_checks(hub, pull.head_sha)], "No checks ran on this head."),
        _merge_box(view, pull, issue),
        f'<h2 class="section">Commits ({len(commits)})</h2>',
        rows([_commit_row(view, commit) for commit in commits], "No commits."),
        f'<h2 class="section">Files changed ({len(files)})</h2>',
        files_html(files),
    ]
    return page(view, f"{issue.title} · Pull request #{pull.number}", "".join(parts))


def _title(title: str, number: int) -> str:
    return f'<h1>{escape(title)} <span class="number">#{number}</span></h1>'


def _labels(hub: Hub, issue: Issue) -> str:
    return f"<p>{labels_html(hub, issue.labels)}</p>" if issue.labels else ""


def _state(issue: Issue, pull: Pull | None) -> str:
    if pull and pull.merged_at is not None:
        return "merged"
    if issue.state == "closed" and pull is None and issue.state_reason == "completed":
        return "completed"
    return issue.state


def _state_line(issue: Issue, pull: Pull | None) -> str:
    state = _state(issue, pull)
    shown = badge(state, "Closed" if state == "completed" else "")
    author = f"<b>{escape(issue.author)}</b>"
    if pull is None:
        return f'<p class="meta">{shown} {author} opened this issue {when(issue.created_at)}</p>'
    branches = f"into <code>{escape(pull.base)}</code> from <code>{escape(pull.head)}</code>"
    if pull.merged_at is not None:
        return f'<p class="meta">{shown} <b>{escape(pull.merged_by or "")}</b> merged {branches} {when(pull.merged_at)}</p>'
    return f'<p class="meta">{shown} {author} wants to merge {branches}, opened {when(issue.created_at)}</p>'


def _conversation(view: View, issue: Issue) -> str:
    parts = [box(f"<b>{escape(issue.author)}</b> opened {when(issue.created_at)}", view.markdown(issue.body))]
    for comment in view.hub.store.comments_of(issue.number):
        edited = " · edited" if comment.updated_at > comment.created_at else ""
        head = f"<b>{escape(comment.author)}</b> commented {when(comment.created_at)}{edited}{_reactions(view.hub, comment.id)}"
        parts.append(box(head, view.markdown(comment.body), anchor=f"issuecomment-{comment.id}"))
    if issue.closed_at is not None and issue.closed_by and issue.number not in view.hub.store.pulls:
        parts.append(f'<p class="meta"><b>{escape(issue.closed_by)}</b> closed this {when(issue.closed_at)}</p>')
    return "".join(parts)


_FACES = {"+1": "👍", "-1": "👎", "laugh": "😄", "confused": "😕", "heart": "❤️", "hooray": "🎉", "rocket": "🚀", "eyes": "👀"}


def _reactions(hub: Hub, comment_id: int) -> str:
    found = [_FACES[reaction.content] for reaction in hub.store.reactions_to(("comment", comment_id))]
    return f" · {' '.join(found)}" if found else ""


def _latest_checks(hub: Hub, sha: str) -> list[CheckRun]:
    newest: dict[tuple[str, str], CheckRun] = {}
    for run in hub.store.check_runs.values():
        if run.head_sha == sha:
            newest[run.app, run.name] = run
    return list(newest.values())


def _check_row(view: View, run: CheckRun) -> str:
    name = f"<b>{escape(run.name)}</b>"
    if run.details_url and not view.standalone and run.details_url.startswith(view.hub.html):
        name = f'<a href="{escape(run.details_url)}">{name}</a>'
    summary = (
        f"<details><summary>{escape(run.title or 'Details')}</summary>{view.markdown(run.summary)}</details>"
        if run.summary
        else escape(run.title or "")
    )
    state = badge(run.conclusion or "pending", run.conclusion or run.status.replace("_", " "), small=True)
    return f'{state}{name} <span class="meta">by {escape(run.app)} {when(run.completed_at)}</span><div>{summary}</div>'


def _merge_box(view: View, pull: Pull, issue: Issue) -> str:
    if pull.merged_at is not None:
        commit = pull.merge_commit_sha or ""
        return f'<p class="meta">Merged as {view.link(f"/commit/{commit}", f"<code>{commit[:7]}</code>")}.</p>'
    if issue.state == "closed":
        return '<p class="meta">Closed without a merge.</p>'
    if not can_merge(view.hub, pull):
        return '<p class="meta">This branch has conflicts that must be resolved.</p>'
    unmet = unmet_checks(view.hub, pull)
    return f'<p class="meta">{escape(" ".join(unmet)) if unmet else "This branch has no conflicts with the base branch."}</p>'


def _commit_row(view: View, commit: Commit) -> str:
    subject = commit.message.partition("\n")[0]
    shown = view.link(f"/commit/{commit.sha}", escape(subject))
    return f'{shown}<div class="meta">{escape(commit.author.name)} · {iso_of(commit.committer)} · <code>{commit.sha[:7]}</code></div>'


def commit_page(view: View, commit: Commit) -> str:
    subject, _, rest = commit.message.partition("\n")
    files = diff(view.hub.git, commit.parents[0] if commit.parents else EMPTY_TREE, commit.sha if commit.parents else commit.tree)
    parents = " ".join(view.link(f"/commit/{sha}", f"<code>{sha[:7]}</code>") for sha in commit.parents)
    parts = [
        f"<h1>{reference_html(subject, view.links)}</h1>",
        f'<p class="meta"><b>{escape(commit.author.name)}</b> · {iso_of(commit.committer)} · <code>{commit.sha}</code>'
        f" · parents {parents or 'none'}</p>",
        f"<pre>{reference_html(rest.strip(), view.links)}</pre>" if rest.strip() else "",
        files_html(files),
    ]
    return page(view, subject, "".join(parts))


def list_page(view: View, title: str, issues: Sequence[Issue]) -> str:
    """Issues or pull requests, newest first."""
    shown = [_list_row(view, issue) for issue in sorted(issues, key=lambda issue: -issue.number)]
    return page(view, title, f"<h1>{escape(title)}</h1>{rows(shown, 'Nothing here yet.')}")


def _list_row(view: View, issue: Issue) -> str:
    pull = view.hub.store.pulls.get(issue.number)
    state = _state(issue, pull)
    name = view.link(f"/{'pull' if pull else 'issues'}/{issue.number}", f"<b>{escape(issue.title)}</b>")
    meta = f"#{issue.number} by {escape(issue.author)} {when(issue.created_at)}"
    shown = badge(state, "Closed" if state == "completed" else "", small=True)
    return f'{shown}{name} {labels_html(view.hub, issue.labels)}<div class="meta">{meta}</div>'


def home_page(view: View, tip: str | None) -> str:
    """The repository: latest commit and top-level files."""
    hub = view.hub
    if tip is None:
        return page(view, hub.name, "<p>This repository is empty.</p>")
    commit = commit_at(hub.git, tip)
    entries = sorted(list_tree(hub.git, commit.tree, recursive=False), key=lambda item: (item[1].kind != "tree", item[0]))
    names = [f"{'📁' if entry.kind == 'tree' else '📄'} {escape(path)}" for path, entry, _ in entries]
    listing = rows([_commit_row(view, commit), *names], "No files.")
    return page(view, hub.name, f"<h1>{escape(hub.name)}</h1>{listing}")


def runs_page(view: View, runs: Sequence[Mapping[str, Any]]) -> str:
    shown = [_run_row(view, run) for run in runs]
    return page(view, "Actions", f"<h1>Workflow runs</h1>{rows(shown, 'No workflow ran yet.')}")


def _run_row(view: View, run: Mapping[str, Any]) -> str:
    state = badge(str(run.get("conclusion") or "pending"), str(run.get("conclusion") or run.get("status")), small=True)
    name = view.link(f"/actions/runs/{int(run['id'])}", f"<b>{escape(str(run.get('display_title') or run.get('name')))}</b>")
    meta = f"{run.get('name')} · {run.get('event')} · {run.get('head_branch')} · {run.get('created_at')}"
    return f'{state}{name}<div class="meta">{escape(meta)}</div>'


def run_page(view: View, run: Mapping[str, Any], jobs: Sequence[tuple[Mapping[str, Any], str]]) -> str:
    """One workflow run; each job with its log."""
    title = str(run.get("display_title") or run.get("name"))
    meta = f"{run.get('path')} · {run.get('event')} · attempt {run.get('run_attempt')} · {run.get('created_at')}"
    parts = [f"<h1>{escape(title)}</h1>", f'<p class="meta">{badge(str(run.get("conclusion") or run.get("status")))} {escape(meta)}</p>']
    for job, log in jobs:
        state = badge(str(job.get("conclusion") or "pending"), str(job.get("conclusion") or job.get("status")), small=True)
        parts.append(box(f"{state}<b>{escape(str(job.get('name')))}</b>", f"<pre><code>{escape(log)}</code></pre>"))
    return page(view, title, "".join(parts))
