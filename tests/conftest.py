"""Where the long tests stand, and in which order they run."""

from __future__ import annotations

import pytest

LONG_MARKS = ("e2e", "beside_e2e")
LONG_FOLDERS = ("e2e", "sim")  # what `make test` collects for them


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """By `turn`, where a test has one: workers take the long tests in pairs from the front, and so end at about the same time."""
    for item in items:
        if _turn(item) >= 0 and item.path.parent.name not in LONG_FOLDERS:
            raise pytest.UsageError(f"{item.nodeid}: `make test` looks for long tests in {', '.join(LONG_FOLDERS)} only: move it there")
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    marks = (item.get_closest_marker(name) for name in LONG_MARKS)
    return max((mark.kwargs["turn"] for mark in marks if mark), default=-1)
