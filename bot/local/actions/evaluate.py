"""Evaluates expressions over JSON values with GitHub's coercions; an unknown context or function is an error."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.local.actions.expressions import (
    Binary,
    Call,
    Context,
    Expr,
    ExpressionError,
    Index,
    Literal,
    Not,
    Star,
    number_of,
    parse,
    split_template,
    walk,
)

STATUS_FUNCTIONS = frozenset({"success", "failure", "always", "cancelled"})
_ARITY = {
    "contains": (2, 2),
    "startswith": (2, 2),
    "endswith": (2, 2),
    "format": (1, 99),
    "tojson": (1, 1),
    "fromjson": (1, 1),
    "join": (1, 2),
    "hashfiles": (1, 99),
    "success": (0, 0),
    "failure": (0, 0),
    "always": (0, 0),
    "cancelled": (0, 0),
}
PURE_FUNCTIONS = frozenset(_ARITY) - STATUS_FUNCTIONS - {"hashfiles"}


@dataclass(frozen=True)
class Scope:
    """What an expression may look at: contexts by name, the status functions' answers, and the files of the workspace."""

    contexts: Mapping[str, Any]
    status: Mapping[str, bool] = field(default_factory=dict)
    hash_files: Callable[[list[str]], str] | None = None


class _Filtered(list[Any]):
    """What `.*` gives: further property access goes to each element."""


def check(tree: Expr, contexts: frozenset[str], functions: frozenset[str]) -> None:
    """Raises ExpressionError when the tree names a context or function that is not available at its place."""
    for node in walk(tree):
        if isinstance(node, Context) and node.name.lower() not in contexts:
            raise ExpressionError(f"unknown context {node.name!r} here; available: {', '.join(sorted(contexts)) or 'none'}")
        if isinstance(node, Call):
            name = node.name.lower()
            if name not in functions:
                raise ExpressionError(f"unknown function {node.name!r} here; available: {', '.join(sorted(functions))}")
            least, most = _ARITY[name]
            if not least <= len(node.arguments) <= most:
                raise ExpressionError(f"function {node.name!r} does not take {len(node.arguments)} arguments")


def evaluate(tree: Expr, scope: Scope) -> Any:
    """The JSON value of a parsed expression. Raises ExpressionError."""
    match tree:
        case Literal(value):
            return value
        case Context(name):
            return _context(name, scope)
        case Index(target, index):
            return _index(evaluate(target, scope), evaluate(index, scope))
        case Star(target):
            value = evaluate(target, scope)
            return _Filtered(value.values() if isinstance(value, dict) else value if isinstance(value, list) else [])
        case Not(operand):
            return not truthy(evaluate(operand, scope))
        case Call(name, arguments):
            return _call(name, [evaluate(argument, scope) for argument in arguments], scope)
        case Binary("&&", left, right):
            value = evaluate(left, scope)
            return evaluate(right, scope) if truthy(value) else value
        case Binary("||", left, right):
            value = evaluate(left, scope)
            return value if truthy(value) else evaluate(right, scope)
        case Binary(operator, left, right):
            return _compare(operator, evaluate(left, scope), evaluate(right, scope))


def evaluate_template(text: str, scope: Scope) -> Any:
    """The value of a workflow's string: raw when it is one single expression, else the pieces joined as text."""
    pieces = split_template(text)
    if len(pieces) == 1 and not isinstance(pieces[0], str):
        return evaluate(pieces[0], scope)
    return "".join(piece if isinstance(piece, str) else to_text(evaluate(piece, scope)) for piece in pieces)


def render(text: str, scope: Scope) -> str:
    """`evaluate_template` as text."""
    return to_text(evaluate_template(text, scope))


def condition_of(text: str) -> Expr:
    """The tree of an `if:`, with or without `${{ }}`; `success() &&` is put before it unless it asks for a status itself."""
    stripped = text.strip()
    if stripped.startswith("${{") and stripped.endswith("}}") and stripped.count("${{") == 1:
        stripped = stripped[3:-2]
    elif "${{" in stripped:
        raise ExpressionError(f"mixes text and ${{{{ }}}}, which is always true: {text.strip()!r}")
    tree = parse(stripped)
    if any(isinstance(node, Call) and node.name.lower() in STATUS_FUNCTIONS for node in walk(tree)):
        return tree
    return Binary("&&", Call("success", ()), tree)


def condition(text: str, scope: Scope) -> bool:
    """Whether an `if:` holds."""
    return truthy(evaluate(condition_of(text), scope))


def truthy(value: Any) -> bool:
    """GitHub's truth: false, 0, NaN, '' and null are false; every array and object is true."""
    if isinstance(value, (list, dict)):
        return True
    return bool(value) and value == value


def to_text(value: Any) -> str:
    """A value as GitHub writes it into a string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    if isinstance(value, (list, dict)):
        return "Array" if isinstance(value, list) else "Object"
    return str(value)


def to_number(value: Any) -> float:
    """A value as a number for comparisons between types: null 0, false 0, true 1, text parsed, the rest NaN."""
    if value is None:
        return 0.0
    if isinstance(value, (bool, int, float)):
        return float(value)
    return float(number_of(value)) if isinstance(value, str) else math.nan


def _context(name: str, scope: Scope) -> Any:
    found = scope.contexts.get(name, scope.contexts.get(name.lower(), _MISSING))
    if found is _MISSING:
        raise ExpressionError(f"unknown context {name!r}")
    return found


_MISSING = object()


def _index(target: Any, index: Any) -> Any:
    if isinstance(target, _Filtered):
        found = (_index(item, index) for item in target)
        return _Filtered(item for item in found if item is not None)
    if isinstance(target, list):
        position = to_number(index)
        return target[int(position)] if position == position and 0 <= position < len(target) else None
    if not isinstance(target, Mapping):
        return None
    key = to_text(index)
    if key in target:
        return target[key]
    lowered = key.lower()
    return next((value for name, value in target.items() if str(name).lower() == lowered), None)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float)) else type(value).__name__


def loosely_equal(left: Any, right: Any) -> bool:
    """GitHub's `==`: text ignores case, different types compare as numbers, arrays and objects only by identity."""
    if _kind(left) != _kind(right):
        return to_number(left) == to_number(right)
    if isinstance(left, str):
        return left.lower() == str(right).lower()
    if isinstance(left, (list, dict)):
        return left is right
    return bool(left == right)


def _compare(operator: str, left: Any, right: Any) -> bool:
    if operator in ("==", "!="):
        return loosely_equal(left, right) == (operator == "==")
    low: Any
    high: Any
    if isinstance(left, str) and isinstance(right, str):
        low, high = left.lower(), right.lower()
    else:
        low, high = to_number(left), to_number(right)
    return bool({"<": low < high, "<=": low <= high, ">": low > high, ">=": low >= high}[operator])


def _call(name: str, arguments: list[Any], scope: Scope) -> Any:
    lowered = name.lower()
    if lowered in STATUS_FUNCTIONS and lowered in scope.status:
        return scope.status[lowered]
    if lowered == "hashfiles" and scope.hash_files is not None:
        return scope.hash_files([to_text(argument) for argument in arguments])
    if lowered not in PURE_FUNCTIONS:
        raise ExpressionError(f"unknown function {name!r} here")
    return _pure(lowered, arguments)


def _pure(name: str, arguments: list[Any]) -> Any:
    first = arguments[0]
    match name:
        case "contains":
            if isinstance(first, list):
                return any(loosely_equal(item, arguments[1]) for item in first)
            return to_text(arguments[1]).lower() in to_text(first).lower()
        case "startswith":
            return to_text(first).lower().startswith(to_text(arguments[1]).lower())
        case "endswith":
            return to_text(first).lower().endswith(to_text(arguments[1]).lower())
        case "format":
            return _format(to_text(first), [to_text(argument) for argument in arguments[1:]])
        case "tojson":
            return json.dumps(first, indent=2, ensure_ascii=False)
        case "join":
            separator = to_text(arguments[1]) if len(arguments) > 1 else ","
            return separator.join(to_text(item) for item in first) if isinstance(first, list) else to_text(first)
    try:
        return json.loads(to_text(first))
    except ValueError as error:
        raise ExpressionError(f"fromJSON: not JSON ({error})") from error


def _format(template: str, values: list[str]) -> str:
    def piece(match: re.Match[str]) -> str:
        if match.group() in ("{{", "}}"):
            return match.group()[0]
        if not match.group(1) or int(match.group(1)) >= len(values):
            raise ExpressionError(f"format: {match.group()!r} has no value in {template!r}")
        return values[int(match.group(1))]

    return re.sub(r"\{\{|\}\}|\{(\d+)\}|[{}]", piece, template)
