"""The person in the loop: reads slash commands out of comments (pure), and writes what a person is told."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from bot.agents.markdown_lines import visible_lines

_COMMAND = re.compile(r"/sre(?:[ \t]+(\S+)(?:[ \t]+(.*?))?)?[ \t]*", re.IGNORECASE | re.ASCII)
_BEGINS = re.compile(r"(?:^|[\r\n])[ \t]*/sre", re.IGNORECASE | re.ASCII)
_COMMANDS_PER_COMMENT = 5
_ARGUMENT_LIMIT = 200
WHO_MAY = ("write", "admin")


@dataclass(frozen=True)
class Verb:
    meaning: str
    cancel: str
    needs_write: bool = True


VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        "help": Verb("lists these commands", "", needs_write=False),
        "approve": Verb(
            "answers the Guardrail's questions for exactly this head of the pull request, and runs the check again", "/sre deny"
        ),
        "deny": Verb("refuses this pull request; the bot closes it and stops", "/sre retry"),
        "retry": Verb("allows further attempts after a refusal or an escalation", "/sre hold"),
        "hold": Verb("stops the bot for this incident: it only watches", "/sre release"),
        "release": Verb("ends the hold", "/sre hold"),
        "correct": Verb(
            "says what the cause really was, as `/sre correct cause=NAME and why`; memory keeps that, and no longer trusts the fix"
            " for another culprit",
            "/sre correct",
        ),
    }
)
_ALIASES = MappingProxyType({"unhold": "release"})


@dataclass(frozen=True)
class Command:
    """`/sre verb argument`. For an unknown verb `known` is False and `suggestion` the closest one we know ("" when none is close)."""

    verb: str
    argument: str = ""
    known: bool = True
    suggestion: str = ""


@lru_cache(maxsize=64)  # every look reads the same comments again
def parse_commands(body: str) -> tuple[Command, ...]:
    """The commands in a comment, in order, at most five: each on a line of its own, in plain sight. Other bots' commands are not ours.

    The caller leaves out edited comments, other bots' and those that carry our own mark.
    """
    if _BEGINS.search(body) is None:  # nearly all comments
        return ()
    found = [command for line in visible_lines(body) if (command := _parse_line(line))]
    return tuple(found[:_COMMANDS_PER_COMMENT])


def _parse_line(line: str) -> Command | None:
    match = _COMMAND.fullmatch(line)
    if match is None:
        return None
    given = (match[1] or "help").lower()
    verb = _ALIASES.get(given, given)
    argument = (match[2] or "")[:_ARGUMENT_LIMIT]
    if verb in VERBS:
        return Command(verb, argument)
    close = difflib.get_close_matches(given, [*VERBS, *_ALIASES], n=1, cutoff=0.6)
    suggestion = _ALIASES.get(close[0], close[0]) if close else ""
    return Command(re.sub(r"[^a-z0-9-]", "", given)[:30] or "?", argument, known=False, suggestion=suggestion)


# --- what a person is told --------------------------------------------------------------------------------------------------------------


def help_text() -> str:
    """All commands with their cancels, as a table."""
    rows = [f"| `/sre {name}` | {verb.meaning} | {f'`{verb.cancel}`' if verb.cancel else '–'} |" for name, verb in VERBS.items()]
    return "\n".join(
        [
            "Comment a command on a line of its own, under the incident or its pull request. All but `help` need write permission.",
            "",
            "| command | what it does | taken back by |",
            "|---|---|---|",
            *rows,
        ]
    )


def misspelt_text(verb: str, suggestion: str) -> str:
    """The answer to a command that we don't know. `verb` and `suggestion` as in `Command`."""
    guess = f" Did you mean `/sre {suggestion}`?" if suggestion else ""
    return f"I don't know `/sre {verb}`.{guess} `/sre help` lists all commands."


def refusal_text(by: str, verb: str, permission: str) -> str:
    """The answer to somebody who may not: who may, and what to do."""
    yours = {"read": "you may only read it", "none": "you have none"}.get(permission, "yours is not enough")
    return (
        f"@{by}, `/sre {verb}` needs write permission on this repository, and {yours}: nothing was done. "
        "Somebody with write, maintain or admin permission may give the command."
    )
