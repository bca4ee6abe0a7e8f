"""Short notices that are written once and read back as facts."""

from __future__ import annotations

from bot.facts import Facts
from bot.names import HOLD_ALL_LABEL
from bot.texts.safe import plain


def merge_refused(why: str) -> str:
    return f"GitHub does not let me merge this yet, though the guardrail allows it: {plain(why, 300)}"


def unopened(f: Facts) -> str:
    """Why something that is broken gets no incident of its own, for the feed; "" when it gets one or nothing is broken."""
    if f.issue is not None or f.signal is None:
        return ""
    what = f"{f.signal.operation} in {f.signal.service} is unwell"
    if f.held:
        return f"{what}; no incident is opened while an open issue has the label {HOLD_ALL_LABEL}"
    if f.maintenance:
        return f"{what}; no incident is opened during maintenance, {f.maintenance}"
    opened = f.part_of.startswith("#")  # else the incident is about to be opened, and is told then
    return f"{what} from the same cause as {f.part_of}: no incident of its own" if opened else ""


def duplicate(of: int) -> str:
    return f"This says the same as #{of}, where the incident goes on."


def same_cause(older: int) -> str:
    return (
        f"As the calls between services show by now, this has the same cause as #{older}: the incident goes on there."
        " Should this still be broken when that one is over, I open a new one."
    )


def reverted(pull: int) -> str:
    return f"The fix of this incident, #{pull}, was reverted on the default branch. I remember it as one that did not last."
