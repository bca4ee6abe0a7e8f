"""Where the end-to-end tests stand, in which order they run, and where tests write."""

from __future__ import annotations

import gc
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings

E2E_FOLDER = "e2e"  # what `make test` collects for them
IN_MEMORY = Path("/dev/shm")
UNTIMED = "untimed"  # how long an example takes says how busy the machine is
SCRATCH = pytest.StashKey[Path]()
ROOM_BYTES = 4 << 30  # three worlds at a time take a tenth of it


def pytest_configure(config: pytest.Config) -> None:
    """Worlds write and delete many thousands of small files: where memory is plenty that costs half as much as on a disk."""
    settings.register_profile(UNTIMED, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile(UNTIMED)
    if hasattr(config, "workerinput") or config.option.basetemp or not _has_room():
        return
    config.option.basetemp = config.stash[SCRATCH] = Path(tempfile.mkdtemp(prefix="sre-space-tests-", dir=IN_MEMORY))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is loaded meanwhile stays: the garbage collector need not look through it, neither now nor again and again later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """What failing tests wrote stays, to be looked at."""
    if exitstatus != pytest.ExitCode.TESTS_FAILED and (scratch := session.config.stash.get(SCRATCH, None)):
        shutil.rmtree(scratch, ignore_errors=True)


def _has_room() -> bool:
    free = shutil.disk_usage(IN_MEMORY).free if IN_MEMORY.is_dir() else 0
    return min(free, psutil.virtual_memory().available) >= ROOM_BYTES


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """By `turn`, where a test has one: of two workers each gets two that follow one another, so that both end at about the same time."""
    for item in items:
        if _turn(item) >= 0 and item.path.parent.name != E2E_FOLDER:
            raise pytest.UsageError(f"{item.nodeid}: `make test` looks for end-to-end tests in tests/{E2E_FOLDER} only: move it there")
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    mark = item.get_closest_marker("e2e")
    return mark.kwargs["turn"] if mark else -1
