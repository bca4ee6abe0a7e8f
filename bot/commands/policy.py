"""`sre-space policy`: explains the rules, and tests them by the tables in policies/tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.policy.commands import run_policy


def run(argv: Sequence[str], env: Mapping[str, str]) -> int:
    return run_policy(argv)
