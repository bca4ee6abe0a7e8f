"""The second look of somebody who is not sure: what earlier evidence of the same incident still shows is put beside the fresh evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from bot.diagnosis.case import Case
from bot.evidence import ConfigChange, DeployMark, ErrorGroup, Evidence, LogGroup

T = TypeVar("T", DeployMark, ErrorGroup, LogGroup, ConfigChange)


def with_earlier(evidence: Evidence, earlier: Evidence) -> Evidence:
    """`evidence` with the deploys, settings, kinds of errors and of log lines that only the earlier one has, under ids of their own.

    Spans are kept for minutes: what came with the first of them may be out of sight by now. Figures are not mixed.
    """
    return replace(
        evidence,
        deploys=_joined(evidence.deploys, earlier.deploys, "d"),
        changes=_joined(evidence.changes, earlier.changes, "c"),
        errors=_joined(evidence.errors, earlier.errors, "x"),
        logs=_joined(evidence.logs, earlier.logs, "l"),
    )


def anything_new(before: Case, after: Case) -> bool:
    """Whether the second look sees more than the first one did."""
    return (before.changes, before.evidence, before.changes_left_out) != (after.changes, after.evidence, after.changes_left_out)


def _joined(present: tuple[T, ...], earlier: Sequence[T], letter: str) -> tuple[T, ...]:
    known = {_what(one) for one in present}
    taken = {one.id for one in present}
    missing: list[T] = [one for one in earlier if _what(one) not in known]
    free = [name for n in range(1, len(present) + len(missing) + 1) if (name := f"{letter}{n}") not in taken]
    renamed: list[T] = [replace(one, id=name) for one, name in zip(missing, free, strict=False)]
    return present + tuple(renamed)


def _what(one: DeployMark | ErrorGroup | LogGroup | ConfigChange) -> tuple[object, ...]:
    """What makes two of them the same, whenever they were counted."""
    if isinstance(one, DeployMark):
        return one.service, one.commit
    if isinstance(one, ErrorGroup):
        return one.service, one.type, one.frames
    if isinstance(one, LogGroup):
        return one.service, one.severity, one.template
    return one.service, one.key, one.value
