"""`sre-space policy`: texts and exit codes."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import Refused
from bot.policy.commands import run_policy
from bot.policy.testing import read_rows, run_row
from tests.policy.texts import SHIPPED, load, shipped


def run(*argv: str) -> tuple[int, str]:
    out = io.StringIO()
    return run_policy(argv, out), out.getvalue()


def test_the_shipped_policy_tests_hold() -> None:
    code, text = run("--policies", str(SHIPPED), "test")
    assert code == 0, text
    code, text = run("--policies", str(SHIPPED), "--json", "test")
    report = json.loads(text)
    assert report["failed"] == 0 and len(report["rows"]) >= 20
    assert {row["decision"] for row in report["rows"]} == {"allow", "ask", "deny"}


@pytest.mark.parametrize("rule", [rule.id for rule in shipped().rules])
def test_a_policy_test_fails_when_its_rule_stops_working(rule: str) -> None:
    """Every rule of the shipped guardrail.yaml is guarded by at least one shipped row."""
    policies = shipped()
    neutered = replace(policies, rules=tuple(r for r in policies.rules if r.id != rule))
    rows = [row for path in sorted((SHIPPED / "tests").glob("*.yaml")) for row in read_rows(path.name, path.read_text("utf-8"), policies)]
    assert any(run_row(row, neutered).problem for row in rows)


def test_a_failing_row_says_what_was_expected_and_what_came(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    shutil.copytree(SHIPPED, folder)
    (folder / "tests" / "mine.yaml").write_text("- name: mine\n  given: {confidence: 0.5}\n  expect: {decision: allow}\n", encoding="utf-8")
    code, text = run("--policies", str(folder), "test")
    assert code == 1
    assert "FAIL  mine  (tests/mine.yaml:1)" in text and "expected allow, got ask (confidence)" in text


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("- {name: a, given: {confidnce: 1}, expect: {decision: ask}}", "unknown key"),
        ("- {name: a, given: {confidence: 7}, expect: {decision: ask}}", "between 0 and 1"),
        ("- {name: a, given: {}, expect: {decision: perhaps}}", "expected one of allow, ask, deny"),
        ("- {name: a, given: {}, expect: {decision: deny, because: confidnce}}", "there is no rule 'confidnce'"),
        ("- {name: a, given: {}, expect: {decision: allow}}\n- {name: a, given: {}, expect: {decision: allow}}", "a second row"),
        ("[]", "at least 1"),
    ],
)
def test_a_row_that_cannot_be_read_is_refused_with_its_line(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(Refused, match=message) as refusal:
        read_rows("tests/x.yaml", row, load())
    assert str(refusal.value).startswith("tests/x.yaml:")


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        ("{decision: ask, because: confidence}", ""),
        ("{decision: ask, because: [confidence, size]}", ""),
        ("{decision: ask, because: open-pulls}", "because of"),
    ],
)
def test_because_names_the_rules_that_gave_the_decision(expect: str, problem: str) -> None:
    lines = ", lines: 999" if "size" in expect else ""
    (row,) = read_rows("x.yaml", f"- {{name: a, given: {{confidence: 0.1{lines}}}, expect: {expect}}}", load())
    assert (problem in run_row(row, load()).problem) if problem else run_row(row, load()).problem == ""


def test_explain_prints_each_rule_with_its_line_and_unreadable_policies_give_two(tmp_path: Path) -> None:
    code, text = run("--policies", str(SHIPPED), "explain")
    assert code == 0
    for rule in shipped().rules:
        assert f"policies/guardrail.yaml:{rule.line}  {rule.id}" in text
    assert run("--policies", str(tmp_path), "explain")[0] == 2
    assert json.loads(run("--policies", str(SHIPPED), "--json", "explain")[1])["sha"] == shipped().sha
