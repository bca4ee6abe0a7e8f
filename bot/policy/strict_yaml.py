"""YAML read strictly: every value knows its file, line and key, so that a refusal can point at it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import yaml

from bot.errors import Refused

FAST_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml is in PyYAML's wheels: the same documents ten times as fast

_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
    "map": "a mapping",
    "seq": "a list",
}


@dataclass(frozen=True)
class Entry:
    """One node of a YAML file. The readers raise Refused naming file, line and key when the node is not what was asked for."""

    file: str
    key: str  # dotted path from the top of the file; "" at the top
    node: yaml.Node

    @property
    def line(self) -> int:
        return int(self.node.start_mark.line) + 1

    @property
    def is_list(self) -> bool:
        return isinstance(self.node, yaml.SequenceNode)

    def refused(self, message: str) -> Refused:
        return Refused(f"{self.file}:{self.line}: {self.key + ': ' if self.key else ''}{message}")

    def _wrong(self, wanted: str) -> Refused:
        tag = self.node.tag.rpartition(":")[2]
        return self.refused(f"expected {wanted}, got {_KINDS.get(tag, tag)}")

    def entries(self) -> tuple[tuple[str, Entry], ...]:
        """A mapping with any keys, in the order of the file. No key may come twice."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self._wrong("a mapping")
        found: dict[str, Entry] = {}
        for name_node, value_node in self.node.value:
            name = Entry(self.file, self.key, name_node)
            key = name.text()
            child = Entry(self.file, f"{self.key}.{key}" if self.key else key, value_node)
            if key in found:
                raise Refused(f"{self.file}:{name.line}: {child.key}: this key stands twice (first on line {found[key].line})")
            found[key] = child
        return tuple(found.items())

    def mapping(self, required: Collection[str], optional: Collection[str] = ()) -> Mapping[str, Entry]:
        """A mapping with exactly these keys, the optional ones at will."""
        found = dict(self.entries())
        for key, child in found.items():
            if key not in required and key not in optional:
                raise child.refused(f"unknown key; known here: {', '.join(sorted({*required, *optional}))}")
        for key in required:
            if key not in found:
                raise self.refused(f"missing key {key!r}")
        return found

    def items(self, at_least: int = 0) -> tuple[Entry, ...]:
        if not isinstance(self.node, yaml.SequenceNode):
            raise self._wrong("a list")
        found = tuple(Entry(self.file, f"{self.key}[{index}]", node) for index, node in enumerate(self.node.value))
        if len(found) < at_least:
            raise self.refused(f"expected at least {at_least} {'entry' if at_least == 1 else 'entries'}")
        return found

    def scalar(self) -> str:
        """Any scalar, as it was written."""
        if not isinstance(self.node, yaml.ScalarNode):
            raise self._wrong("a single value")
        return str(self.node.value)

    def text(self) -> str:
        if not isinstance(self.node, yaml.ScalarNode) or not self.node.tag.endswith(":str"):
            raise self._wrong("text")
        if not self.node.value.strip():
            raise self.refused("expected text, got an empty one")
        return str(self.node.value)

    def texts(self, at_least: int = 1) -> tuple[str, ...]:
        return tuple(item.text() for item in self.items(at_least))

    def one_of(self, allowed: Collection[str]) -> str:
        value = self.text()
        if value not in allowed:
            raise self.refused(f"expected one of {', '.join(sorted(allowed))}, got {value!r}")
        return value

    def flag(self) -> bool:
        if not isinstance(self.node, yaml.ScalarNode) or not self.node.tag.endswith(":bool"):
            raise self._wrong("true or false")
        return self.node.value.lower() in {"true", "yes", "on"}

    def number(self, low: float = -math.inf, high: float = math.inf, *, exclusive: bool = False) -> float:
        """A finite number in [low, high], or in (low, high) when `exclusive`."""
        if not isinstance(self.node, yaml.ScalarNode) or self.node.tag.rpartition(":")[2] not in {"int", "float"}:
            raise self._wrong("a number")
        try:
            value = float(self.node.value.replace("_", ""))
        except ValueError:
            raise self.refused(f"expected a plain decimal number, got {self.node.value!r}") from None
        inside = low < value < high if exclusive else low <= value <= high
        if not math.isfinite(value) or not inside:
            raise self.refused(f"expected a number {_range(low, high, exclusive)}, got {self.node.value}")
        return value

    def whole(self, low: int, high: int = 10**9) -> int:
        if not isinstance(self.node, yaml.ScalarNode) or not self.node.tag.endswith(":int"):
            raise self._wrong("a whole number")
        return int(self.number(low, high))


def _range(low: float, high: float, exclusive: bool) -> str:
    if math.isinf(high):
        return f"above {low:g}" if exclusive else f"of at least {low:g}"
    return f"between {low:g} and {high:g}{' (both excluded)' if exclusive else ''}"


def parse(file: str, text: str) -> Entry:
    """The top of one YAML document. Raises Refused for anything that is not well-formed YAML with one document."""
    try:
        loader = FAST_LOADER(text)
    except (yaml.YAMLError, UnicodeEncodeError) as problem:
        raise Refused(f"{file}:1: not valid YAML: it holds a character that no YAML may hold") from problem
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        raise Refused(f"{file}:{mark.line + 1 if mark else 1}: not valid YAML: {problem.problem or problem.context}") from problem
    except yaml.YAMLError as problem:
        raise Refused(f"{file}:1: not valid YAML: {str(problem).splitlines()[0]}") from problem
    finally:
        loader.dispose()
    if node is None:
        raise Refused(f"{file}:1: the file is empty")
    return Entry(file, "", node)
