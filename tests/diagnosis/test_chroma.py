"""Memory in ChromaDB on disk: idempotent, searchable, rebuilt from the originals, never downloading anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.adapters.chroma import ChromaMemory
from bot.adapters.embedding import DIMENSIONS, embed
from bot.errors import Refused, Retry
from bot.model import OutcomeKind
from tests.diagnosis.cases import remembered

HANGS = remembered(1, "v1/dependency-hangs/shop", OutcomeKind.HEALED, text="depot hangs and hub waits for it without a bound")
BREAKS = remembered(2, "v1/change-breaks/shop", OutcomeKind.FAILED, text="a release raised KeyError in the loyalty table of pricing")


def test_it_remembers_once_and_recalls_the_most_similar_first(tmp_path: Path) -> None:
    memory = ChromaMemory(tmp_path / "memory")
    assert memory.recall("anything", 3) == ()
    for post_mortem in (HANGS, BREAKS, HANGS):
        memory.remember(post_mortem)
    assert memory.count() == 2
    found = memory.recall("another depot hangs, hub waits", 5)
    assert [post_mortem for post_mortem, _ in found] == [HANGS, BREAKS]
    assert 1.0 >= found[0][1] > found[1][1] >= 0.0
    assert [post_mortem for post_mortem, _ in memory.recall("KeyError in pricing after a release", 1)] == [BREAKS]


def test_it_survives_a_restart_and_a_rebuild_forgets_the_rest(tmp_path: Path) -> None:
    ChromaMemory(tmp_path).remember(HANGS)
    again = ChromaMemory(tmp_path)
    assert again.recall("depot hangs", 1)[0][0] == HANGS
    again.rebuild([BREAKS, BREAKS])
    assert again.count() == 1 and again.recall("depot hangs", 2)[0][0] == BREAKS
    again.rebuild([])
    assert again.count() == 0


def test_no_server_and_bad_addresses_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="CHROMA_URL"):
        ChromaMemory(None, "not an address")
    with pytest.raises(Retry):
        ChromaMemory(None, "http://127.0.0.1:1")
    (tmp_path / "file").write_text("x")
    with pytest.raises(Retry):
        ChromaMemory(tmp_path / "file")


def test_embeddings_are_unit_vectors_in_which_figures_do_not_matter() -> None:
    for text in ("", "!!!", "depot hangs", "x" * 5000):
        vector = embed(text)
        assert len(vector) == DIMENSIONS and sum(v * v for v in vector) == pytest.approx(1.0)
    assert embed("p99 is 6100") == embed("p99 is 5")
    assert embed("a depot hangs")[:3] == embed("A DEPOT hangs")[:3]
