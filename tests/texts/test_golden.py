"""The main texts, word for word as they were last read in review. Written anew by `python -m tests.texts.golden`."""

from __future__ import annotations

import pytest

from tests.texts.golden import FOLDER, GOLDEN


@pytest.mark.parametrize("name", GOLDEN)
def test_a_text_reads_as_it_was_reviewed(name: str) -> None:
    assert GOLDEN[name]().rstrip() + "\n" == (FOLDER / f"{name}.md").read_text(encoding="utf-8"), "python -m tests.texts.golden"


def test_no_reviewed_text_is_left_over() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == set(GOLDEN)
