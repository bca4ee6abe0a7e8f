"""From a stack trace to the places in our own code: Python's tracebacks, chained and grouped ones too; of others the first lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from bot.policy.schema import ServiceSpec
from bot.telemetry import limits

_FRAME = re.compile(
    r'^[\s|+]{0,40}File "(?P<path>[^"\n]{1,500})", line (?P<line>\d{1,7})(?:, in (?P<function>[^\n]{1,200}))?$', re.MULTILINE
)
_CHAIN = re.compile(
    r"^[\s|+]{0,40}(?:The above exception was the direct cause of the following exception:"
    r"|During handling of the above exception, another exception occurred:)$",
    re.MULTILINE,
)


def path_prefixes(services: Iterable[ServiceSpec]) -> tuple[str, ...]:
    """The literal beginnings of the services' path globs, longest first: `src/shop/**` gives `src/shop/`."""
    found = {re.split(r"[*?\[]", glob, maxsplit=1)[0] for service in services for glob in service.paths}
    return tuple(sorted((prefix for prefix in found if prefix.strip("/")), key=lambda prefix: (-len(prefix), prefix)))


def frames(stacktrace: str, prefixes: Sequence[str]) -> tuple[str, ...]:
    """`path:function:line`, innermost last, at most limits.FRAMES. Of a chain the root cause comes last, as it is the deepest.

    Only frames below one of `prefixes` count, with paths relative to the repository; when there is none, the innermost ones of any
    code, with the last components of their paths. What is no Python traceback gives its first lines as they are.
    """
    parts = _CHAIN.split(stacktrace)
    found = [match for part in reversed(parts) for match in _FRAME.finditer(part)]
    if not found:
        lines = [line.strip() for line in stacktrace.splitlines() if line.strip()]
        return tuple(lines[: limits.FRAMES])
    ours = [(path, match) for match in found if (path := relative_path(match["path"], prefixes)) is not None]
    if not ours:
        ours = [("/".join(_normal(match["path"]).split("/")[-3:]), match) for match in found]
    return tuple(f"{path}:{match['function'] or '<module>'}:{match['line']}" for path, match in ours[-limits.FRAMES :])


def relative_path(path: str, prefixes: Sequence[str]) -> str | None:
    """`path` from the last place on where one of `prefixes` begins (at a component); None when none does."""
    path = _normal(path)
    best = -1
    for prefix in prefixes:
        at = f"/{path}".rfind(f"/{prefix}")
        best = max(best, at)
    return path[best:] if best >= 0 else None


def _normal(path: str) -> str:
    return path.replace("\\", "/").removeprefix("./")
