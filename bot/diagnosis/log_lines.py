"""Log lines that are new at a service, and how well they meet what a commit wrote.

Anybody's input may stand in a log line. So it may tell commits of one deploy apart, and never make an answer sure enough to act on.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.diagnosis.case import Case, Change
from bot.diagnosis.plain import plain
from bot.diagnosis.wording import words
from bot.evidence import LogGroup
from bot.log_template import place_of
from bot.model import Claim

SAME_LINE = 0.6  # of a template's words on one added line: fewer are chance
OTHERS_TEXT = 0.3  # of a feature's value that a log line is worth at most: with so little of it confidence stays at 0.90 or below
MAX_CLAIMS = 2
NEW_FACTOR = 10  # times as many lines as in any earlier stretch of equal length


def new_lines(service: str, case: Case) -> tuple[LogGroup, ...]:
    """Groups that (almost) never occurred before, the largest first."""
    found = [one for one in case.evidence.logs if one.service == service and one.count and one.before_count * NEW_FACTOR <= one.count]
    return tuple(sorted(found, key=lambda one: (-one.count, one.id)))


def log_claims(service: str, case: Case) -> tuple[Claim, ...]:
    """What is new in the logs of a service. The evidence shows the lines: they are not repeated, as people put secrets into them."""
    name, claims = plain(service), []
    for one in new_lines(service, case)[:MAX_CLAIMS]:
        kind = "errors" if one.severity == "error" else "warnings"
        claims.append(Claim(f"{name} logs {kind} of a new kind: {one.count} now, {one.before_count} before.", (one.id,)))
    return tuple(claims)


def written_by(change: Change, lines: Sequence[frozenset[str]], template: str) -> float:
    """0..1: whether a change touches the place in the code that a template names, or adds a line with its words. `lines`: the words of each
    line that it adds."""
    path = place_of(template).rpartition(":")[0]
    if path and any(one == path or one.endswith(f"/{path}") for one in change.paths):
        return 1.0
    said = words(template)
    most = max((len(said & line) / len(said) for line in lines), default=0.0) if len(said) > 1 else 0.0
    return most if most >= SAME_LINE else 0.0
