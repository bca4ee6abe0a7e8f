"""Reads YAML as GitHub does (YAML 1.2 words, no duplicate keys) and walks it with errors that name file, place and key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from bot.local.actions.evaluate import check, condition_of
from bot.local.actions.expressions import ExpressionError, split_template
from bot.local.actions.workflow import UnsupportedSyntax

MAX_BYTES = 512 * 1024


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2 booleans (`on` and `yes` are words), no dates, no aliases and no duplicate keys."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(None, None, "aliases are not supported", None)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be plain text", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} stands twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _core_words() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """YAML 1.2's plain scalars: no `on`, no dates, no `12:30` as a number."""
    words = {
        "bool": ("true|True|TRUE|false|False|FALSE", "tTfF"),
        "int": ("[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
        "float": (r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
        "null": ("~|null|Null|NULL|", "~nN"),
    }
    found: dict[str, list[tuple[str, re.Pattern[str]]]] = {"": [("tag:yaml.org,2002:null", re.compile(r"\Z"))]}
    for tag, (pattern, firsts) in words.items():
        for first in firsts:
            found.setdefault(first, []).append((f"tag:yaml.org,2002:{tag}", re.compile(rf"(?:{pattern})\Z")))
    return found


_Loader.yaml_implicit_resolvers = _core_words()


def load_yaml(file: str, content: bytes) -> Any:
    """The parsed document. Raises UnsupportedSyntax with line and column when it is no YAML."""
    if len(content) > MAX_BYTES:
        raise UnsupportedSyntax(file, "", f"is {len(content)} bytes; at most {MAX_BYTES} are read")
    try:
        return yaml.load(content.decode(), Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise UnsupportedSyntax(file, "", f"is not valid YAML: {' '.join(str(error).split())[:300]}") from error


@dataclass(frozen=True)
class Node:
    """A value in the document and where it stands, such as `jobs.build.steps[2].with`."""

    file: str
    where: str
    value: Any

    def wrong(self, problem: str) -> UnsupportedSyntax:
        return UnsupportedSyntax(self.file, self.where, problem)

    def child(self, key: str) -> Node:
        return Node(self.file, f"{self.where}.{key}" if self.where else key, self.value.get(key))

    def has(self, key: str) -> bool:
        return key in self.value

    def mapping(self, allowed: frozenset[str] | None = None, required: frozenset[str] = frozenset()) -> Node:
        """Itself, when it is a mapping with only allowed and all required keys."""
        if not isinstance(self.value, dict):
            raise self.wrong(f"must be a mapping, not {_kind(self.value)}")
        for key in self.value:
            if not isinstance(key, str):
                raise self.wrong(f"key {key!r} must be text (quote it)")
            if allowed is not None and key not in allowed:
                raise self.wrong(f"unsupported key {key!r}; supported here: {', '.join(sorted(allowed))}")
        for key in sorted(required - self.value.keys()):
            raise self.wrong(f"key {key!r} is missing")
        return self

    def items(self) -> Iterator[tuple[str, Node]]:
        for key in self.value:
            yield key, self.child(key)

    def elements(self) -> Iterator[Node]:
        if not isinstance(self.value, list):
            raise self.wrong(f"must be a list, not {_kind(self.value)}")
        for position, value in enumerate(self.value):
            yield Node(self.file, f"{self.where}[{position}]", value)

    def text(self) -> str:
        """A scalar as text, as GitHub passes it on."""
        value = self.value
        if isinstance(value, bool):
            return "true" if value else "false"
        if value is None or isinstance(value, (str, int, float)):
            return "" if value is None else str(value)
        raise self.wrong(f"must be text, not {_kind(value)}")

    def texts(self) -> tuple[str, ...]:
        """One text or a list of texts."""
        if isinstance(self.value, list):
            return tuple(element.text() for element in self.elements())
        return (self.text(),) if self.value is not None else ()

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.wrong(f"must be true or false, not {self.value!r}")
        return self.value

    def template(self, contexts: frozenset[str], functions: frozenset[str]) -> str:
        """Text whose expressions name only what is available here."""
        text = self.text()
        try:
            for piece in split_template(text):
                if not isinstance(piece, str):
                    check(piece, contexts, functions)
        except ExpressionError as error:
            raise self.wrong(str(error)) from error
        return text

    def templates(self, contexts: frozenset[str], functions: frozenset[str]) -> dict[str, str]:
        """A mapping of such texts; an absent one is empty."""
        if self.value is None:
            return {}
        return {key: node.template(contexts, functions) for key, node in self.mapping().items()}

    def condition(self, contexts: frozenset[str], functions: frozenset[str]) -> str | None:
        """An `if:`; None when there is none."""
        if self.value is None:
            return None
        text = self.text()
        try:
            check(condition_of(text), contexts, functions)
        except ExpressionError as error:
            raise self.wrong(str(error)) from error
        return text


def _kind(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: f"the text {value!r:.60}", type(None): "empty"}
    return names.get(type(value), repr(value))
