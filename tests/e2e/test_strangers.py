"""Nothing may depend on names, and with a personal access token the bot is the owner: the loop heals a renamed marketplace all the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.local.world import World
from tests.e2e.stage import Quiet, all_incidents, break_and_watch, play, wait_until_well

pytestmark = pytest.mark.e2e

NEW_NAMES = {
    "marketplace-web": "shopfront",
    "quote-engine": "abacus",
    "carrier-gateway": "switchboard",
    "carrier-alder": "partner-one",
    "carrier-birch": "partner-two",
    "carrier-cedar": "partner-three",
    "CARRIER_ALDER": "PARTNER_ONE",
    "CARRIER_BIRCH": "PARTNER_TWO",
    "CARRIER_CEDAR": "PARTNER_THREE",
    "/quotes": "/offers",
}
RENAMED_FOLDERS = ("userplane", "policies", "render.yaml")


def rename(tree: Path) -> None:
    """Every service and the operation get another name, in code, manifests, policies and blueprint alike."""
    files = [p for name in RENAMED_FOLDERS for p in ([tree / name] if (tree / name).is_file() else sorted((tree / name).rglob("*")))]
    for path in files:
        if path.is_file() and path.suffix in (".py", ".yaml", ".html"):
            text = path.read_text(encoding="utf-8")
            for old, new in NEW_NAMES.items():
                text = text.replace(old, new)
            path.write_text(text, encoding="utf-8")
            path.rename(path.with_name(_renamed(path.name)))


def _renamed(name: str) -> str:
    for old, new in NEW_NAMES.items():
        name = name.replace(old, new)
    return name


def test_with_other_names_a_random_dependency_breaks_and_the_bot_is_the_owner(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        assert world.bot_login == (await world.owner.me()).login
        await wait_until_well(world)
        report = await break_and_watch(world, "dependency-timeout", Quiet())
        assert report.well, report
        assert report.culprit.startswith("partner-")
        seen = await all_incidents(world)
        assert len(seen) == 1
        assert seen[0].incident.signal.operation == "POST /offers"
        comments = await world.owner.comments(seen[0].issue.number)
        assert not [c for c in comments if "no command" in c.body.lower()], "its own words are never commands"

    play(tmp_path, story, bot_is_owner=True, change_tree=rename, seed=3)
