"""GitHub's `${{ }}` expressions: a tokenizer, a precedence-climbing parser and the templates that hold them.

The language: https://docs.github.com/en/actions/reference/workflows-and-actions/expressions
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 50


class ExpressionError(ValueError):
    """An expression is malformed or asks for something that does not exist; the message quotes the expression."""


@dataclass(frozen=True)
class Literal:
    value: Any


@dataclass(frozen=True)
class Context:
    name: str


@dataclass(frozen=True)
class Index:
    target: Expr
    index: Expr


@dataclass(frozen=True)
class Star:
    """`target.*`: every element of an array or every value of an object."""

    target: Expr


@dataclass(frozen=True)
class Call:
    name: str
    arguments: tuple[Expr, ...]


@dataclass(frozen=True)
class Not:
    operand: Expr


@dataclass(frozen=True)
class Binary:
    operator: str
    left: Expr
    right: Expr


Expr = Literal | Context | Index | Star | Call | Not | Binary

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>0x[0-9a-fA-F]+|0o[0-7]+|[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)
    |(?P<string>'(?:[^']|'')*')
    |(?P<name>[A-Za-z_][A-Za-z0-9_-]*)
    |(?P<operator>&&|\|\||==|!=|<=|>=|[<>!()\[\],.*])
    )""",
    re.VERBOSE,
)
_PRECEDENCE = {"||": 1, "&&": 2, "==": 3, "!=": 3, "<": 4, "<=": 4, ">": 4, ">=": 4}
_WORDS = {"true": True, "false": False, "null": None, "NaN": float("nan"), "Infinity": float("inf")}
_TEMPLATE = re.compile(r"\$\{\{((?:'(?:[^']|'')*'|[^'])*?)\}\}", re.DOTALL)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


def _tokens(source: str) -> Iterator[_Token]:
    position = 0
    text = source.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise ExpressionError(f"unexpected {text[position:].strip()[:20]!r} in expression {source.strip()!r}")
        yield _Token(match.lastgroup, match.group(match.lastgroup))
        position = match.end()


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source.strip()
        self.tokens = [*_tokens(source), _Token("end", "end of the expression")]
        self.position = 0
        self.depth = 0

    def parse(self) -> Expr:
        tree = self._expression(1)
        if self._peek().kind != "end":
            raise self._unexpected()
        return tree

    def _peek(self) -> _Token:
        return self.tokens[self.position]

    def _next(self) -> _Token:
        token = self.tokens[self.position]
        self.position += 1
        return token

    def _take(self, text: str) -> bool:
        token = self._peek()
        if token.kind == "operator" and token.text == text:
            self.position += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._unexpected()

    def _unexpected(self) -> ExpressionError:
        return ExpressionError(f"unexpected {self._peek().text!r} in expression {self.source!r}")

    def _expression(self, least: int) -> Expr:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionError(f"expression nested deeper than {MAX_DEPTH}: {self.source[:60]!r}…")
        left = self._unary()
        while (precedence := _PRECEDENCE.get(self._peek().text, 0)) >= least and self._peek().kind == "operator":
            operator = self._next().text
            left = Binary(operator, left, self._expression(precedence + 1))
        self.depth -= 1
        return left

    def _unary(self) -> Expr:
        negations = 0
        while self._take("!"):
            negations += 1
        tree = self._postfix(self._primary())
        for _ in range(negations):
            tree = Not(tree)
        return tree

    def _primary(self) -> Expr:
        token = self._peek()
        if self._take("("):
            tree = self._expression(1)
            self._expect(")")
            return tree
        if token.kind == "number":
            return Literal(number_of(self._next().text))
        if token.kind == "string":
            return Literal(self._next().text[1:-1].replace("''", "'"))
        if token.kind != "name":
            raise self._unexpected()
        self.position += 1
        if self._take("("):
            return Call(token.text, self._arguments())
        return Literal(_WORDS[token.text]) if token.text in _WORDS else Context(token.text)

    def _arguments(self) -> tuple[Expr, ...]:
        if self._take(")"):
            return ()
        arguments = [self._expression(1)]
        while self._take(","):
            arguments.append(self._expression(1))
        self._expect(")")
        return tuple(arguments)

    def _postfix(self, tree: Expr) -> Expr:
        while True:
            if self._take("["):
                tree = Star(tree) if self._take("*") else Index(tree, self._expression(1))
                self._expect("]")
            elif self._take("."):
                if self._take("*"):
                    tree = Star(tree)
                elif self._peek().kind == "name":
                    tree = Index(tree, Literal(self._next().text))
                else:
                    raise self._unexpected()
            else:
                return tree


def number_of(text: str) -> float | int:
    """A number as GitHub reads it from text: decimal, 0x and 0o; NaN when it is none, 0 when it is empty."""
    text = text.strip()
    if not text:
        return 0
    try:
        if text[:2].lower() in ("0x", "0o"):
            return int(text, 0)
        return int(text) if re.fullmatch(r"[-+]?[0-9]+", text) else float(text.replace("_", "?"))
    except ValueError:
        return float("nan")


def parse(source: str) -> Expr:
    """Parses one expression without its `${{ }}`. Raises ExpressionError."""
    if not source.strip():
        raise ExpressionError("an expression is empty")
    return _Parser(source).parse()


def split_template(text: str) -> list[str | Expr]:
    """Splits `a ${{ b }} c` into its literal and parsed pieces, in order. Raises ExpressionError."""
    pieces: list[str | Expr] = []
    position = 0
    for match in _TEMPLATE.finditer(text):
        pieces += [text[position : match.start()], parse(match.group(1))]
        position = match.end()
    if "${{" in text[position:]:
        raise ExpressionError(f"${{{{ without }}}} in {text[position:].strip()[:80]!r}")
    pieces.append(text[position:])
    return [piece for piece in pieces if piece != ""]


def walk(tree: Expr) -> Iterator[Expr]:
    """Every node of the tree, the root first."""
    yield tree
    match tree:
        case Index(target, index):
            yield from walk(target)
            yield from walk(index)
        case Star(target):
            yield from walk(target)
        case Call(_, arguments):
            for argument in arguments:
                yield from walk(argument)
        case Not(operand):
            yield from walk(operand)
        case Binary(_, left, right):
            yield from walk(left)
            yield from walk(right)
        case Literal() | Context():
            pass
