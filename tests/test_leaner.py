"""What is kept out while a package is imported, and that it is there for everybody else."""

from __future__ import annotations

import gc
import sys

import pytest

from bot.__main__ import main
from bot.leaner import without

UNUSED = "antigravity"  # of the standard library, and loaded by nobody: it would open a browser


def test_what_is_kept_out_can_not_be_imported_until_the_block_ends() -> None:
    with without(UNUSED), pytest.raises(ImportError):
        __import__(UNUSED)
    assert UNUSED not in sys.modules


def test_it_can_be_imported_again_also_when_the_block_fails() -> None:
    with pytest.raises(ValueError, match="broken"), without(UNUSED):
        raise ValueError("broken")
    assert UNUSED not in sys.modules


def test_what_is_loaded_already_stays() -> None:
    with without("json"):
        import json
    assert sys.modules["json"] is json


def test_a_command_runs_with_the_garbage_collector_on_although_it_was_loaded_without(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["policy", "--help"])
    assert gc.isenabled()
    assert "usage" in capsys.readouterr().out
