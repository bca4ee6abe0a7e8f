"""Sets scalars in a YAML text and changes nothing else: comments, order, quotes and spacing stay byte for byte.

Works on the positions that PyYAML's composer reports, then parses the result and compares it with what was meant.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import yaml

from bot.errors import Refused
from bot.policy.strict_yaml import FAST_LOADER

Key = tuple[str, ...]

_PLAIN = re.compile(r"[A-Za-z0-9_.+-]{1,64}")


def scalar(text: str) -> object:
    """The value of a plain YAML scalar. Raises Refused for anything that is more than one plain word or number."""
    if not _PLAIN.fullmatch(text):
        raise Refused(f"{text[:40]!r} is not a plain YAML value: use a word, a number, true or false")
    return _plain(text)


@lru_cache(maxsize=1024)  # the same few settings are compared again and again
def _plain(text: str) -> object:
    return yaml.load(text, Loader=FAST_LOADER)


def lookup(document: object, key: Key) -> object | None:
    """What stands at a path of keys; None when something on the way is missing."""
    for part in key:
        if not isinstance(document, dict) or part not in document:
            return None
        document = document[part]
    return document


def parse(text: str) -> Any:
    """The document. Raises Refused when it is not YAML or not a mapping."""
    try:
        document = yaml.load(text, Loader=FAST_LOADER)
    except (yaml.YAMLError, UnicodeEncodeError, RecursionError) as problem:
        raise Refused("the manifest is not readable as YAML: repair it by hand first") from problem
    if not isinstance(document, dict):
        raise Refused("the manifest is not a mapping: repair it by hand first")
    return document


def set_scalars(text: str, settings: Sequence[tuple[Key, str]]) -> str:
    """`text` with each key set to its plain scalar. All but the last part of a key may be missing from the second level on.

    Raises Refused when the text is no YAML, the parent of a key is no mapping, or aliases make a local edit unsafe.
    """
    try:
        return _set_scalars(text, settings)
    except RecursionError as problem:
        raise Refused("the manifest is nested too deeply: change it by hand") from problem


def _set_scalars(text: str, settings: Sequence[tuple[Key, str]]) -> str:
    wanted = copy.deepcopy(parse(text))
    for key, value in settings:
        if lookup(wanted, key) != scalar(value) or type(lookup(wanted, key)) is not type(scalar(value)):
            text = _set(text, key, value)
        _assign(wanted, key, scalar(value))
    if parse(text) != wanted:
        raise Refused("the manifest uses YAML that cannot be edited safely (aliases, merge keys or tags): change it by hand")
    return text


def _assign(document: dict[Any, Any], key: Key, value: object) -> None:
    for part in key[:-1]:
        inner = document.setdefault(part, {})
        if not isinstance(inner, dict):
            raise Refused(f"{'.'.join(key)}: {part} is not a mapping in the manifest: change it by hand")
        document = inner
    document[key[-1]] = value


def _set(text: str, key: Key, value: str) -> str:
    node = yaml.compose(text, Loader=FAST_LOADER)
    if node is None:
        raise Refused("the manifest is empty: write it by hand first")
    outer = node
    for depth, part in enumerate(key):
        if not isinstance(node, yaml.MappingNode) or not _own(text, node, outer):
            raise Refused(f"{'.'.join(key[:depth])} is not a plain mapping in the manifest: change it by hand")
        child = next((v for k, v in node.value if k.value == part), None)
        if child is None:
            return _insert(text, node, key[depth:], value)
        outer, node = node, child
    if not isinstance(node, yaml.ScalarNode) or not _own(text, node, outer):
        raise Refused(f"{'.'.join(key)} is not a plain value in the manifest: change it by hand")
    start, end = node.start_mark.index, node.end_mark.index
    gap = " " if text[start - 1] == ":" else ""  # `key:` with nothing after it
    return text[:start] + gap + value + text[end:]


def _own(text: str, node: yaml.Node, outer: yaml.Node) -> bool:
    """Whether a node stands where it is used, for no other use: neither an alias of one elsewhere nor anchored for others."""
    inside = outer.start_mark.index <= node.start_mark.index <= outer.end_mark.index
    return inside and text[node.start_mark.index : node.start_mark.index + 1] not in ("&", "*")


def _insert(text: str, parent: yaml.MappingNode, key: Key, value: str) -> str:
    """Adds `key` (nested if longer than one part) behind the mapping's last entry, in the mapping's own style."""
    if not parent.value:
        raise Refused(f"{'.'.join(key)}: its mapping is empty in the manifest: change it by hand")
    last = parent.value[-1][1]
    if parent.flow_style:
        entry = ", " + ": {".join(key) + f": {value}" + "}" * (len(key) - 1)
        return text[: last.end_mark.index] + entry + text[last.end_mark.index :]
    column = parent.value[0][0].start_mark.column
    lines = [f"{' ' * (column + 2 * depth)}{part}:" for depth, part in enumerate(key)]
    lines[-1] += f" {value}"
    at = _end_of_content(text, last)
    newline = "" if at == 0 or text[at - 1] == "\n" else "\n"
    return text[:at] + newline + "\n".join(lines) + "\n" + text[at:]


def _end_of_content(text: str, node: yaml.Node) -> int:
    """The start of the line after a node's last content; a block's own end mark lies behind the blank lines and comments that follow."""
    while isinstance(node, (yaml.MappingNode, yaml.SequenceNode)) and node.value and not node.flow_style:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    end = text.find("\n", max(node.end_mark.index - (1 if text[node.end_mark.index - 1 : node.end_mark.index] == "\n" else 0), 0))
    return len(text) if end < 0 else end + 1


def dotted(template: str, values: Mapping[str, str]) -> Key:
    """A dotted template such as `dependencies.{name}` as a key; dots inside the filled-in values do not split."""
    return tuple(part.format_map(values) for part in template.split("."))
