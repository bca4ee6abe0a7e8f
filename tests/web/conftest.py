"""What several files of web tests use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.otlp_door import Door
from tests.web.web_world import World


@pytest.fixture(scope="module")
def shared() -> Iterator[Door]:
    with Door(World()).open() as door:
        yield door


@pytest.fixture
def door(shared: Door) -> Door:
    """The server of the module with nothing taken yet."""
    shared.world.spans.bodies.clear()
    shared.app.asked = 0
    return shared
