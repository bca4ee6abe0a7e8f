"""A REST call and its reply, in GitHub's manners: errors, validation, pages with a Link header."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlencode

from bot.local.github.hub import Actor, Hub
from bot.local.github.nouns import Json

DOCUMENTATION = "https://docs.github.com/rest"
BODY_LIMIT = 65_536
Item = TypeVar("Item")


class ApiError(Exception):
    """An answer with an error status in GitHub's shape."""

    def __init__(self, status: int, message: str, errors: Sequence[Json | str] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = list(errors)

    def body(self) -> Json:
        body: Json = {"message": self.message, "documentation_url": DOCUMENTATION, "status": str(self.status)}
        return {**body, "errors": self.errors} if self.errors else body


def not_found() -> ApiError:
    return ApiError(404, "Not Found")


def invalid(resource: str, field_name: str, code: str, message: str = "") -> ApiError:
    """GitHub's 422 "Validation Failed" with one entry: missing, invalid, already_exists, custom, …"""
    error: Json = {"resource": resource, "field": field_name, "code": code}
    return ApiError(422, "Validation Failed", [{**error, "message": message} if message else error])


@dataclass(frozen=True)
class Call:
    """One request. `body` is the parsed JSON (None when there was none)."""

    hub: Hub
    actor: Actor
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Any = None
    accept: str = ""

    def number(self, name: str) -> int:
        text = self.params[name]
        if not text.isascii() or not text.isdigit() or len(text) > 12:
            raise not_found()
        return int(text)

    def fields(self) -> Json:
        """The body as an object."""
        if self.body is None:
            return {}
        if not isinstance(self.body, dict):
            raise ApiError(400, "Body should be a JSON object")
        return self.body

    def text(self, name: str, default: str | None = None) -> str:
        """A string field of the body; 422 when it is missing without a default, or not a string."""
        value = self.fields().get(name)
        if value is None:
            if default is None:
                raise ApiError(422, f'Invalid request.\n\n"{name}" wasn\'t supplied.')
            return default
        if not isinstance(value, str):
            raise ApiError(422, f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not a string.")
        return value

    def optional_text(self, name: str) -> str | None:
        return None if self.fields().get(name) is None else self.text(name)

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.fields().get(name, default)
        if not isinstance(value, bool):
            raise ApiError(422, f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not a boolean.")
        return value

    def strings(self, name: str) -> list[str] | None:
        """A list of strings of the body, None when absent."""
        return string_list(self.fields().get(name), name)

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """A query parameter that is one of a few words."""
        value = self.query.get(name, default)
        if value not in choices:
            raise ApiError(422, "Validation Failed", [{"resource": "Search", "field": name, "code": "invalid"}])
        return value


def string_list(value: Any, name: str) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ApiError(422, f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not a list of strings.")
    return list(value)


@dataclass(frozen=True)
class Reply:
    """`body` is sent as JSON, unless it is bytes."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json; charset=utf-8"


def no_content() -> Reply:
    return Reply(None, 204)


def paged(call: Call, items: Sequence[Item], shape: Callable[[Item], Any], *, key: str = "") -> Reply:
    """One page of a list (`per_page` up to 100, `page` from 1), only that page shaped; with `key`, wrapped with `total_count`."""
    size = min(max(_positive(call.query.get("per_page"), 30), 1), 100)
    page = max(_positive(call.query.get("page"), 1), 1)
    last = max((len(items) + size - 1) // size, 1)
    shown: Any = [shape(item) for item in items[(page - 1) * size : page * size]]
    body = {"total_count": len(items), key: shown} if key else shown
    neighbours = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
    wanted = [rel for rel in neighbours if (page > 1 if rel in ("prev", "first") else page < last)]
    links = ", ".join(f'<{_page_url(call, neighbours[rel])}>; rel="{rel}"' for rel in wanted)
    return Reply(body, headers={"Link": links} if links else {})


def _positive(text: str | None, default: int) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 9 else default


def _page_url(call: Call, page: int) -> str:
    return f"{call.hub.web_url}{call.path}?{urlencode({**call.query, 'page': str(page)})}"


def limited(resource: str, field_name: str, text: str | None) -> str | None:
    """The text; 422 when it is longer than GitHub takes."""
    if text is not None and len(text) > BODY_LIMIT:
        raise invalid(resource, field_name, "custom", f"{field_name} is too long (maximum is {BODY_LIMIT} characters)")
    return text
