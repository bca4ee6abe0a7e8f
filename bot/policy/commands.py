"""The command line of the policies: `sre-space policy test` and `sre-space policy explain`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from bot.codec import to_json
from bot.errors import Refused
from bot.policy.checks import CHECKS, GUARDRAIL
from bot.policy.load import load_directory
from bot.policy.schema import Policies
from bot.policy.testing import Result, run_directory


def run_policy(argv: Sequence[str], out: TextIO | None = None) -> int:
    """`policy test` (0: all rows hold, 1: some don't) and `policy explain`; 2 when the policies or rows can't be read."""
    parser = argparse.ArgumentParser(prog="sre-space policy", description="Checks and explains the policies.")
    parser.add_argument(
        "--policies", type=Path, default=Path("policies"), metavar="FOLDER", help="where the policies are (default: policies)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("test", help="judge the rows of FOLDER/tests/*.yaml")
    commands.add_parser("explain", help="print the rules with their lines, and the vocabulary")
    arguments = parser.parse_args(argv)
    out = out or sys.stdout
    try:
        policies = load_directory(arguments.policies)
        if arguments.command == "explain":
            out.write(_explained_json(policies) if arguments.json else _explained(policies))
            return 0
        results = run_directory(arguments.policies / "tests", policies)
    except Refused as problem:
        print(f"sre-space policy: {problem}", file=sys.stderr)
        return 2
    out.write(_tested_json(results) if arguments.json else _tested(results))
    return 1 if any(result.problem for result in results) else 0


def _tested(results: Sequence[Result]) -> str:
    lines = [f"FAIL  {r.row.name}  ({r.row.where})\n      {r.problem}" for r in results if r.problem]
    failed = len(lines)
    return "\n".join([*lines, f"{len(results)} policy tests, {failed} failed"]) + "\n"


def _tested_json(results: Sequence[Result]) -> str:
    rows = [{"name": r.row.name, "where": r.row.where, "decision": r.verdict.decision.value, "problem": r.problem} for r in results]
    return json.dumps({"rows": rows, "failed": sum(bool(r.problem) for r in results)}, indent=2) + "\n"


def _explained(policies: Policies) -> str:
    a = policies.autonomy
    limits = f"confidence above {a.confidence_above:g}, {a.attempts} attempts (policies/autonomy.yaml)"
    lines = [f"The worst answer counts: deny > ask > allow. Limits: {limits}.", ""]
    for rule in policies.rules:
        values = ", ".join(f"{name}: {', '.join(v) if isinstance(v, tuple) else v}" for name, v in rule.values)
        lines.append(f"{GUARDRAIL}:{rule.line}  {rule.id}  (otherwise {rule.otherwise})")
        lines.append(f"    {rule.check}: {CHECKS[rule.check].meaning}{f' [{values}]' if values else ''}")
        lines.append(f"    {rule.why}")
    unused = [name for name in CHECKS if name not in {rule.check for rule in policies.rules}]
    if unused:
        lines += ["", "Checks that no rule uses:", *(f"    {name}: {CHECKS[name].meaning}" for name in unused)]
    return "\n".join(lines) + "\n"


def _explained_json(policies: Policies) -> str:
    rules = [{**to_json(rule), "values": dict(rule.values), "meaning": CHECKS[rule.check].meaning} for rule in policies.rules]
    return json.dumps({"sha": policies.sha, "rules": rules}, indent=2) + "\n"
