"""The three-way merge against git's own, and its refusals."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.diagnosis.merge3 import merge3
from bot.errors import Refused


def git_merge(folder: Path, ours: str, base: str, theirs: str) -> str | None:
    """What `git merge-file` makes of it; None for a conflict."""
    for name, text in (("ours", ours), ("base", base), ("theirs", theirs)):
        (folder / name).write_bytes(text.encode())
    done = subprocess.run(["git", "merge-file", "-p", "ours", "base", "theirs"], cwd=folder, capture_output=True, check=False)
    assert 0 <= done.returncode < 128, done.stderr
    return done.stdout.decode() if done.returncode == 0 else None


def ours_merge(ours: str, base: str, theirs: str) -> str | None:
    try:
        return merge3(ours, base, theirs, "a.py")
    except Refused:
        return None


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, str, str]:
    """A text of distinct lines and two edited versions; each edit deletes, replaces or inserts lines, some the same on both sides."""
    base = [f"line {i}" for i in range(draw(st.integers(0, 8)))]
    versions = []
    for side in "ab":
        lines: list[str] = []
        for i, line in enumerate(base):
            what = draw(st.sampled_from(["keep"] * 5 + ["drop", "replace", "insert", "same"]))
            new = f"new {i}" if what == "same" else f"{side} {i}"
            lines += {"keep": [line], "drop": [], "replace": [new], "insert": [new, line], "same": [new]}[what]
        versions.append(lines + ([f"end {side}"] if draw(st.booleans()) and draw(st.booleans()) else []))
    text = ["".join(f"{line}\n" for line in lines) for lines in (versions[0], base, versions[1])]
    return text[0], text[1], text[2]


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(edited())
def test_it_merges_and_refuses_as_git_does(tmp_path: Path, texts: tuple[str, str, str]) -> None:
    assert ours_merge(*texts) == git_merge(tmp_path, *texts)


lines = st.lists(st.sampled_from(["a", "b", "c", "d", "", "}"]), max_size=8).map("\n".join)


@settings(max_examples=200)
@given(lines, lines, lines)
def test_it_keeps_the_laws_of_merging_and_invents_no_line(ours: str, base: str, theirs: str) -> None:
    assert merge3(ours, base, base, "a.py") == ours
    assert merge3(base, base, theirs, "a.py") == theirs
    assert merge3(ours, base, ours, "a.py") == ours
    merged = ours_merge(ours, base, theirs)
    assert merged == ours_merge(theirs, base, ours)
    if merged is not None:
        assert set(merged.split("\n")) <= set(ours.split("\n")) | set(theirs.split("\n")) | {""}


def test_changes_far_apart_are_both_kept() -> None:
    base = "".join(f"{i}\n" for i in range(20))
    ours, theirs = base.replace("15\n", "fifteen\n"), base.replace("\n3\n", "\nthree\n")
    assert merge3(ours, base, theirs, "a.py") == ours.replace("\n3\n", "\nthree\n")


def test_the_same_line_changed_twice_is_refused() -> None:
    with pytest.raises(Refused, match=r"a\.py: .*conflict.*revert by hand"):
        merge3("a\nours\nc\n", "a\nb\nc\n", "a\ntheirs\nc\n", "a.py")
