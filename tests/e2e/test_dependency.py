"""A dependency hangs: found, bounded by a merged pull request, healed while it still hangs; the next one that hangs is known from memory.

Nothing depends on names: this marketplace is a renamed one. And the bot writes with the owner's own token.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.local.demo.screen import Quiet
from bot.local.demo.story import break_and_watch, wait_until_well
from bot.local.world import World
from tests.e2e.rename import rename
from tests.e2e.stage import again_from_memory, all_incidents, play, remedies


@pytest.mark.e2e(turn=2)
def test_a_hanging_dependency_is_bounded_whatever_it_is_called_and_with_the_owners_own_token(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        assert world.bot_login == (await world.owner.me()).login
        await wait_until_well(world)
        first = await break_and_watch(world, "dependency-timeout", Quiet())
        second = await again_from_memory(world, first)
        assert await remedies(world) == [("bound-dependency", r.injected_culprit) for r in (first, second)]
        assert first.culprit.startswith("partner-")
        assert second.culprit.startswith("partner-")
        for one in await all_incidents(world):
            assert one.incident.signal.operation == "POST /offers"
            comments = await world.owner.comments(one.issue.number)
            assert not [c for c in comments if "no command" in c.body.lower()], "its own words are never commands"

    play(tmp_path, story, bot_is_owner=True, change_tree=rename, seed=3)
