"""`sre-space COMMAND …`: a table of commands, each loaded only when it is called."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType

from bot.errors import Refused, Retry

COMMANDS: Mapping[str, tuple[str, str]] = {
    "demo": ("bot.local.demo.command", "run the whole loop on this machine, with no keys"),
    "serve": ("bot.commands.serve", "the always-on process: telemetry, webhooks, the loop, the feed and the monitor"),
    "diagnose": ("bot.commands.diagnose", "work out the cause of an incident (a job that may only read)"),
    "apply": ("bot.commands.apply", "record a diagnosis, commit its fix and open the pull request"),
    "gate": ("bot.commands.gate", "judge a pull request by the policies of the base branch"),
    "curate": ("bot.commands.curate", "write the post-mortem of a closed incident and remember it"),
    "audit": ("bot.commands.audit", "look through the repository for architecture risks"),
    "detect": ("bot.commands.detect", "replay OTLP files and report what went wrong, when and where"),
    "memory": ("bot.commands.memory", "show what is remembered, or build the vector index anew from GitHub"),
    "recall": ("bot.commands.recall", "find the past incident that recorded telemetry is like"),
    "policy": ("bot.commands.policy", "explain and test the policies"),
}
EXIT_REFUSED = 64  # bad usage, missing settings, a wrong world: trying again changes nothing
EXIT_RETRY = 75  # somebody else was not there: try again later


def usage() -> str:
    rows = "\n".join(f"  {name:10}{words}" for name, (_, words) in COMMANDS.items())
    return f"usage: sre-space COMMAND [options]\n\n{rows}\n\n`sre-space COMMAND --help` says more."


def main(argv: Sequence[str] | None = None, env: Mapping[str, str] | None = None) -> int:
    """Exit code: 0 done, 1-3 as the command says, 64 refused, 75 try again later."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if arguments else EXIT_REFUSED
    if arguments[0] not in COMMANDS:
        print(f"sre-space: there is no command {arguments[0]!r}\n\n{usage()}", file=sys.stderr)
        return EXIT_REFUSED
    module = _load(COMMANDS[arguments[0]][0])
    try:
        return int(module.run(arguments[1:], os.environ if env is None else env))
    except Refused as problem:
        print(f"sre-space {arguments[0]}: {problem}", file=sys.stderr)
        return EXIT_REFUSED
    except Retry as problem:
        print(f"sre-space {arguments[0]}: {problem}; try again in {problem.after_s:.0f} s", file=sys.stderr)
        return EXIT_RETRY


def _load(name: str) -> ModuleType:
    """Modules are there to stay: to look for garbage among them takes a twelfth of the start."""
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.enable()


if __name__ == "__main__":
    code = main()
    gc.freeze()  # all that is left goes with the process: to look through it once more takes a short job a tenth of its time
    sys.exit(code)
