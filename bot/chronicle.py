"""What past incidents taught, read from their closed issues. A cache over GitHub: losing it costs a few reads."""

from __future__ import annotations

from bot.ensure import incidents, read_entries
from bot.journal import PostMortemRecord
from bot.model import PostMortem
from bot.ports import ForgeReader
from bot.record import Keyring

REMEMBERED_INCIDENTS = 100  # the youngest; older ones are for the vector memory


class Chronicle:
    """`past` gives the post-mortems of closed incidents, oldest first."""

    def __init__(self, keyring: Keyring, bot: str) -> None:
        self._keyring = keyring
        self._bot = bot
        self._known: dict[int, PostMortem] = {}

    async def past(self, forge: ForgeReader) -> tuple[PostMortem, ...]:
        closed = await incidents(forge, self._keyring, self._bot, "closed")
        for issue, _ in closed[-REMEMBERED_INCIDENTS:]:
            if issue.number in self._known:
                continue
            for entry in await read_entries(forge, self._keyring, issue.number, self._bot):
                if isinstance(entry.record, PostMortemRecord):
                    self._known[issue.number] = entry.record.post_mortem
        return tuple(self._known[number] for number in sorted(self._known))
