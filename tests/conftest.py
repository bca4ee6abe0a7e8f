"""Where the end-to-end tests stand, and in which order they run."""

from __future__ import annotations

import pytest

E2E_FOLDER = "e2e"  # what `make test` collects for them


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """By `turn`, where a test has one: workers take the long tests in pairs from the front, and so end at about the same time."""
    for item in items:
        if _turn(item) >= 0 and item.path.parent.name != E2E_FOLDER:
            raise pytest.UsageError(f"{item.nodeid}: `make test` looks for end-to-end tests in tests/{E2E_FOLDER} only: move it there")
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    mark = item.get_closest_marker("e2e")
    return mark.kwargs["turn"] if mark else -1
