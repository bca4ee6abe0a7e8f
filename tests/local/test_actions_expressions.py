"""The expression language as a table, and the errors that it must give instead of guesses."""

from __future__ import annotations

from typing import Any

import pytest

from bot.local.actions.evaluate import PURE_FUNCTIONS, Scope, check, condition, evaluate, evaluate_template, render
from bot.local.actions.expressions import ExpressionError, parse

EVENT = {"labels": [{"name": "sre"}, {"name": "Incident"}], "number": 7, "title": "it's {down}", "draft": False, "body": None}
SCOPE = Scope(
    {
        "github": {"event": EVENT, "ref": "refs/heads/main", "run_id": "5"},
        "steps": {"a-b": {"outputs": {"x_y": "1"}}},
        "inputs": {"dry": False, "n": 3},
        "env": {},
    },
    {"success": True, "failure": False, "always": True, "cancelled": False},
    "+".join,
)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("1", 1),
        ("-1.5e1", -15.0),
        ("0xff", 255),
        ("'it''s'", "it's"),
        ("null", None),
        ("true && 'yes' || 'no'", "yes"),
        ("false && 'yes' || 'no'", "no"),
        ("true || false && false", True),
        ("(true || false) && false", False),
        ("!true == false", True),
        ("1 < 2 == true", True),
        ("'ABC' == 'abc'", True),
        ("'a' < 'B'", True),
        ("'1' == 1", True),
        ("'' == 0", True),
        ("null == 0", True),
        ("null == ''", True),
        ("true == 1", True),
        ("true == 'true'", False),  # the text is NaN as a number
        ("'0' == false", True),
        ("'x' == 0", False),
        ("'x' != 0", True),
        ("2 >= '2'", True),
        ("github.event == github.event", True),
        ("github.event.labels == 'Array'", False),
        ("github.event.number", 7),
        ("github['event']['number']", 7),
        ("github.EVENT.Number", 7),
        ("github.event.labels[1].name", "Incident"),
        ("github.event.labels[9].name", None),
        ("github.event.nothing.at.all", None),
        ("github.event.title.length", None),
        ("steps.a-b.outputs.x_y", "1"),
        ("contains(github.event.labels.*.name, 'incident')", True),
        ("contains(github.event.labels.*.name, 'inc')", False),
        ("contains('Hello', 'ELL')", True),
        ("startsWith(github.ref, 'refs/HEADS/')", True),
        ("endsWith('abc', 'BC')", True),
        ("join(github.event.labels.*.name, ', ')", "sre, Incident"),
        ("join(github.event.labels[*].name)", "sre,Incident"),
        ("format('{0}-{1}-{{0}}', 'a', 2)", "a-2-{0}"),
        ("format('{0}', github.event.title)", "it's {down}"),
        ("fromJSON('{\"a\": [1, true]}').a[1]", True),
        ("fromJSON('3') == 3", True),
        ("toJSON(inputs)", '{\n  "dry": false,\n  "n": 3\n}'),
        ("hashFiles('a', 'b')", "a+b"),
        ("success() && !failure()", True),
        ("!inputs.dry", True),
    ],
)
def test_expression(source: str, value: Any) -> None:
    found = evaluate(parse(source), SCOPE)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("${{ inputs.dry }}", False),
        ("pr-${{ github.event.number }}-${{ github.event.body }}.", "pr-7-."),
        ("${{ 'a }} b' }}", "a }} b"),
        ("${{ 1.0 }}", 1.0),
    ],
)
def test_template(text: str, value: Any) -> None:
    assert evaluate_template(text, SCOPE) == value


def test_numbers_and_containers_become_text_as_on_github() -> None:
    assert render("${{ 1.0 }} ${{ 0.5 }} ${{ true }} ${{ null }} ${{ github.event }} ${{ github.event.labels }}", SCOPE) == (
        "1 0.5 true  Object Array"
    )


@pytest.mark.parametrize("source", ["1 +", "a.", "'open", "f(", "()", "1 2", "a[1", "${{ x", "a..b", "#", "(" * 60 + "1" + ")" * 60])
def test_malformed_expression_is_an_error(source: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate_template(f"${{{{ {source} }}}}" if "$" not in source else source, SCOPE)


@pytest.mark.parametrize("source", ["nosuch.thing", "exec('ls')", "contains('a')", "secrets.KEY", "fromJSON('{')", "format('{3}', 1)"])
def test_unknown_names_and_bad_arguments_are_errors(source: str) -> None:
    tree = parse(source)

    def both() -> None:
        check(tree, frozenset(SCOPE.contexts), PURE_FUNCTIONS)
        evaluate(tree, SCOPE)

    with pytest.raises(ExpressionError):
        both()


def test_condition_means_success_unless_it_asks_for_a_status() -> None:
    failed = Scope(SCOPE.contexts, {"success": False, "failure": True, "always": True, "cancelled": False})
    assert condition("github.event.number == 7", SCOPE) and condition("${{ github.event.number == 7 }}", SCOPE)
    assert not condition("github.event.number == 7", failed)
    assert condition("failure() && github.event.number == 7", failed) and condition("always()", failed)
    with pytest.raises(ExpressionError, match="always true"):
        condition("${{ false }} text", SCOPE)
