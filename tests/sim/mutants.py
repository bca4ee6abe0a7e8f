"""Breaks the loop on purpose, one line at a time, in a copy: a simulation that does not notice is not worth much.

`python -m tests.sim.mutants [SEEDS]` tries them all and prints which one was caught by what.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = ("bot", "tests/sim", "policies")
_RUN = "import sys, logging; logging.disable(50); from collections import Counter; from tests.sim.simulation import simulate\n"
_RUN += "[simulate(seed, Counter()) for seed in range(int(sys.argv[1]))]"


@dataclass(frozen=True)
class Mutant:
    name: str
    file: str
    line: str
    instead: str


DECIDE, PERFORM, OBSERVE, VERIFIER = "bot/decide.py", "bot/perform.py", "bot/observe.py", "bot/agents/verifier.py"
MUTANTS = (
    Mutant("merge without our own judgement", DECIDE, "    match p.verdict.verdict.decision:", "    match Decision.ALLOW:"),
    Mutant("merge without the check", DECIDE, 'green = run.conclusion == "success"', "green = True"),
    Mutant("no limit to attempts", DECIDE, "if f.counted >= a.attempts:", "if False:"),
    Mutant("merge while on hold", PERFORM, 'if held or issue.state != "open":', 'if issue.state != "open":'),
    Mutant("merge while nothing is measured", PERFORM, "if health is Health.UNKNOWN or (", "if ("),
    Mutant("undo while nothing is measured", DECIDE, "if f.health is Health.UNHEALTHY else Wait(", "if True else Wait("),
    Mutant("close without measuring again", PERFORM, "if _health(f, h) is not Health.HEALTHY:", "if False:"),
    Mutant("leave duplicates open", DECIDE, "if f.duplicates:", "if False:"),
    Mutant("leave twins", DECIDE, "if f.twins:", "if False:"),
    Mutant("leave strays open", DECIDE, "if f.strays and not f.held:", "if False:"),
    Mutant("leave pulls of ended attempts open", DECIDE, "and (ended or x is not current)", "and False"),
    Mutant("stop silently", DECIDE, "    return Escalate(current.number, call)", '    return Wait("tired")'),
    Mutant("go on after a person closed the pull", DECIDE, "return _call(f, current, Call.CLOSED)", "return Begin(current.number + 1)"),
    Mutant("a retry changes nothing", DECIDE, "if f.counted == 0 and not waiting:", "if False:"),
    Mutant(
        "healed when merged",
        VERIFIER,
        "    if serving_s is None:\n",
        "    if True:\n        return OutcomeKind.HEALED, 'x', None\n    if True:\n",
    ),
    Mutant("a remedy that can't be built", PERFORM, "except fixer.NoProposal as problem:", "except ZeroDivisionError as problem:"),
    Mutant("blind to people's pulls", OBSERVE, "pull = next(iter(await self.eyes.forge.pulls(branch=str(branch))), None)", "pull = None"),
    Mutant("the curator is never started again", DECIDE, "return Learn(f.issue.number) if", "return Wait('later') if"),
    Mutant("a merge that is refused for ever", DECIDE, "p.refused_s is not None and", "False and"),
)


def caught(mutant: Mutant, seeds: int) -> str:
    """What the simulation said about the mutant; "" when it noticed nothing."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as scratch:
        copy = Path(scratch)
        for folder in COPIED:
            shutil.copytree(ROOT / folder, copy / folder)  # compiled files too: valid for all that is not changed
        file = copy / mutant.file
        text = file.read_text(encoding="utf-8")
        if text.count(mutant.line) != 1:
            raise LookupError(f"{mutant.name}: {mutant.file} holds {mutant.line!r} {text.count(mutant.line)} times")
        file.write_text(text.replace(mutant.line, mutant.instead), encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": scratch, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, "-c", _RUN, str(seeds)], cwd=copy, env=environment, capture_output=True, text=True, check=False
        )
    if done.returncode == 0:
        return ""
    lines = [line for line in done.stderr.splitlines() if ": seed " in line or "Error" in line]
    return lines[-1] if lines else done.stderr[-200:]


def main(seeds: int) -> int:
    missed = 0
    for mutant in MUTANTS:
        why = caught(mutant, seeds)
        missed += not why
        print(f"{'caught' if why else 'MISSED'} | {mutant.name} | {why[:130]}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1500))
