"""The monitor's few static files, at `/` and at `/monitor/`: the same relative links work here, on a static host and from a folder."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from bot.errors import Refused
from bot.web.answers import Endpoint

PAGE = "monitor.html"
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def page_routes(monitor_dir: Path) -> list[Route]:
    """A route for each file that is there now. Raises Refused when the page is not: a request's path never becomes a file's path."""
    if not (monitor_dir / PAGE).is_file():
        raise Refused(f"{monitor_dir / PAGE} is missing: give the folder that holds the monitor page")
    routes = [Route("/", _file(monitor_dir / PAGE)), Route("/monitor/", _file(monitor_dir / PAGE))]
    for path in sorted(monitor_dir.iterdir()):
        if path.suffix in _TYPES and path.is_file():
            routes += [Route(f"/{path.name}", _file(path)), Route(f"/monitor/{path.name}", _file(path))]
    return routes


def _file(path: Path) -> Endpoint:
    async def serve(request: Request) -> Response:
        return FileResponse(path, media_type=_TYPES[path.suffix], headers={"Cache-Control": "no-cache"})

    return serve
