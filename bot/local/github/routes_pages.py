"""The web addresses of the pages, outside of the REST API: readable by whoever can reach this machine's loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from bot.local.contracts import RunNotFound
from bot.local.github import pages
from bot.local.github.gitread import commit_at
from bot.local.github.hub import Hub
from bot.local.github.page import View
from bot.local.github.routes_actions import Runs

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
Page = Callable[[View, Request], str | None]


def _number(request: Request) -> int:
    return int(request.path_params["number"])


def _issue(view: View, request: Request) -> str | None:
    issue = view.hub.store.issues.get(_number(request))
    return pages.issue_page(view, issue) if issue else None


def _pull(view: View, request: Request) -> str | None:
    pull = view.hub.store.pulls.get(_number(request))
    return pages.pull_page(view, pull) if pull else None


def _issues(view: View, request: Request) -> str:
    issues = [issue for issue in view.hub.store.issues.values() if issue.number not in view.hub.store.pulls]
    return pages.list_page(view, "Issues", issues)


def _pulls(view: View, request: Request) -> str:
    return pages.list_page(view, "Pull requests", [view.hub.store.issues[number] for number in view.hub.store.pulls])


def _commit(view: View, request: Request) -> str | None:
    sha = view.hub.git.resolve(request.path_params["sha"])
    return pages.commit_page(view, commit_at(view.hub.git, sha)) if sha else None


def _home(view: View, request: Request) -> str:
    return pages.home_page(view, view.hub.git.branch(view.hub.default_branch))


def _endpoint(hub: Hub, render: Page) -> Callable[[Request], Awaitable[Response]]:
    def locked(request: Request) -> str | None:
        with hub.lock:
            return render(View(hub), request)

    async def answer(request: Request) -> Response:
        if not _is_here(hub, request):
            return _missing()
        text = await asyncio.to_thread(locked, request)
        return _missing() if text is None else HTMLResponse(text, headers=_HEADERS)

    return answer


def _is_here(hub: Hub, request: Request) -> bool:
    return f"{request.path_params['owner']}/{request.path_params['repo']}".lower() == hub.full_name.lower()


def _missing() -> Response:
    return PlainTextResponse("Not found.\n", 404, headers=_HEADERS)


def page_routes(hub: Hub, runs: Runs) -> list[BaseRoute]:
    """`runs` gives the workflow runner, None while the repository has none."""
    root = "/{owner}/{repo}"

    async def issue_or_pull(request: Request) -> Response:
        """#12 links to /issues/12; a pull request is then shown at its own address, as on GitHub."""
        if _is_here(hub, request) and _number(request) in hub.store.pulls:
            return RedirectResponse(f"/{hub.full_name}/pull/{_number(request)}", 302)
        return await _endpoint(hub, _issue)(request)

    async def run_list(request: Request) -> Response:
        actions = runs()
        if not _is_here(hub, request) or actions is None:
            return _missing()
        found = actions.list_runs(workflow=None, head_sha=None, event=None, branch=None)
        return HTMLResponse(pages.runs_page(View(hub), found), headers=_HEADERS)

    async def run(request: Request) -> Response:
        actions = runs()
        if not _is_here(hub, request) or actions is None:
            return _missing()
        try:
            shown, jobs = actions.get_run(_number(request)), actions.list_jobs(_number(request))
            logs = [(job, actions.job_log(int(job["id"]))) for job in jobs]
        except RunNotFound:
            return _missing()
        return HTMLResponse(pages.run_page(View(hub), shown, logs), headers=_HEADERS)

    async def job_log(request: Request) -> Response:
        actions = runs()
        if not _is_here(hub, request) or actions is None:
            return _missing()
        try:
            return PlainTextResponse(actions.job_log(_number(request)), headers=_HEADERS)
        except RunNotFound:
            return _missing()

    return [
        Route(f"{root}/issues", _endpoint(hub, _issues)),
        Route(f"{root}/issues/{{number:int}}", issue_or_pull),
        Route(f"{root}/pulls", _endpoint(hub, _pulls)),
        Route(f"{root}/pull/{{number:int}}", _endpoint(hub, _pull)),
        Route(f"{root}/commit/{{sha}}", _endpoint(hub, _commit)),
        Route(f"{root}/actions", run_list),
        Route(f"{root}/actions/runs/{{number:int}}", run),
        Route(f"{root}/actions/jobs/{{number:int}}/log.txt", job_log),
        Route(root, _endpoint(hub, _home)),
    ]
