"""Patches: which lines changed, and where they stand after later changes of the same file."""

from __future__ import annotations

from dataclasses import replace

from bot.diagnosis.overlap import overlap
from bot.diagnosis.patch import changed_lines, moved
from bot.forge import ChangedFile
from tests.diagnosis.cases import BAD_PATCH, bad_case, bad_changes, error_group


def test_changed_lines_are_counted_in_the_new_file() -> None:
    assert changed_lines(BAD_PATCH) == (41, 42)
    assert changed_lines("@@ -5,3 +5,2 @@\n a\n-b\n c") == (6,)
    assert changed_lines("") == ()


def test_a_line_moves_with_what_is_added_and_removed_above_it() -> None:
    patch = "@@ -1,2 +1,4 @@\n a\n+b\n+c\n d\n@@ -10,3 +12,2 @@\n x\n-y\n z"
    assert [moved(line, patch) for line in (1, 2, 10, 11, 12, 40)] == [1, 4, 12, 13, 13, 41]


def test_a_later_commit_moves_the_bad_lines_and_the_frame_is_still_found_on_them() -> None:
    added = "\n".join(["@@ -1,1 +1,41 @@", " a", *["+x"] * 40])
    guilty, text_only, same_file = bad_changes()
    later = replace(
        same_file, commit=replace(same_file.commit, files=(ChangedFile("app/pricing/rates.py", "modified", 40, 0, patch=added),))
    )
    case = bad_case(changes=(guilty, text_only, later))
    group = replace(error_group(), frames=("app/pricing/rates.py:loyalty:82",))
    assert overlap(guilty, group, case).lines_away == 0
    assert overlap(guilty, group, case).value > overlap(later, group, case).value
