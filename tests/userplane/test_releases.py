"""Other developers' releases: the bad one breaks most quotes, the harmless ones none, and a revert of the bad one keeps the harmless."""

from __future__ import annotations

import random
import subprocess
import sys
import types
from pathlib import Path

import pytest

from bot.errors import Refused
from bot.local.releases import PAGES, PRICING, TAGLINES, Release, bad_release, harmless_releases
from tests.userplane.world import ROOT
from userplane.traffic.customers import draw_risk


def main_branch() -> dict[str, str]:
    return {path: (ROOT / path).read_text(encoding="utf-8") for path in (PRICING, PAGES)}


def land(main: dict[str, str], release: Release) -> None:
    assert release.title and release.body and release.slug.replace("-", "").isalnum()
    assert all(main[path] != text for path, text in release.changes.items())
    main.update(release.changes)


def share_that_fails(pricing_text: str, customers: int = 2_000) -> float:
    pricing = types.ModuleType("pricing_of_a_release")
    sys.modules[pricing.__name__] = pricing  # dataclasses look their module up
    try:
        exec(compile(pricing_text, PRICING, "exec"), pricing.__dict__)  # noqa: S102 - the release's own text
    finally:
        del sys.modules[pricing.__name__]
    rng = random.Random(7)
    failed = 0
    for _ in range(customers):
        try:
            assert pricing.price(draw_risk(rng)).premium > 0
        except ZeroDivisionError:
            failed += 1
    return failed / customers


def merged(current: str, base: str, other: str, folder: Path) -> str:
    """`git merge-file`: what `base → other` changed, applied to `current`; fails on a conflict."""
    for name, text in (("current", current), ("base", base), ("other", other)):
        (folder / name).write_text(text, encoding="utf-8")
    command = ["git", "merge-file", "-p", "current", "base", "other"]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def test_bad_release_breaks_most_quotes_and_harmless_ones_none() -> None:
    main = main_branch()
    assert share_that_fails(main[PRICING]) == 0
    for release in harmless_releases(main.__getitem__):
        land(main, release)
    assert share_that_fails(main[PRICING]) == 0
    land(main, bad_release(main.__getitem__))
    assert 0.6 <= share_that_fails(main[PRICING]) <= 0.9


def test_revert_of_the_bad_release_keeps_the_harmless_ones_and_it_can_all_happen_again(tmp_path: Path) -> None:
    main = main_branch()
    for _ in range(4):
        good = main[PRICING]
        land(main, bad_release(main.__getitem__))
        bad = main[PRICING]
        with pytest.raises(Refused, match="on main already"):
            bad_release(main.__getitem__)
        page, edition = harmless_releases(main.__getitem__)
        assert set(page.changes) == {PAGES} and set(edition.changes) == {PRICING}
        land(main, page)
        land(main, edition)
        reverted = merged(main[PRICING], bad, good, tmp_path)
        assert share_that_fails(reverted) == 0
        assert [line for line in reverted.splitlines() if line.startswith("TARIFF_EDITION")] == [
            line for line in edition.changes[PRICING].splitlines() if line.startswith("TARIFF_EDITION")
        ]
        main[PRICING] = reverted
    assert sum(f'TAGLINE = "{tagline}"' in main[PAGES] for tagline in TAGLINES) == 1


def test_files_that_are_not_as_expected_are_refused_by_name() -> None:
    with pytest.raises(Refused, match=PRICING):
        bad_release(lambda _: "nothing")
    with pytest.raises(Refused, match=PAGES):
        harmless_releases(lambda _: "nothing")
    with pytest.raises(Refused, match="TARIFF_EDITION"):
        harmless_releases(lambda path: main_branch()[PAGES] if path == PAGES else "nothing")
