"""Jules's one rule: a client call without a time-out waits as long as the other side likes, and takes its caller down with it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Literal

WAIVER = "# no time-out:"  # at the end of the line, with the reason
_SUGGESTED = "timeout=…, shorter than what the caller's own clients wait"


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    inside: str  # the enclosing class and function, "" at the top of the module
    call: str  # what is called, by its full name
    what: str
    why: str
    suggestion: str

    @property
    def key(self) -> str:
        """Names the finding across edits elsewhere in the file: 8 hex digits, without the line."""
        return sha256("\0".join((self.path, self.inside, self.call, self.what)).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class _Call:
    """How a call is bounded. `unbounded_by_default`: leaving the time-out away means (nearly) none."""

    unbounded_by_default: bool
    why: str
    position: int | None = None  # of the time-out among the positional arguments


_REQUESTS = _Call(True, "requests has no default time-out")
_HTTPX = _Call(False, "timeout=None switches off httpx's default of 5 s")
_AIOHTTP = _Call(True, "aiohttp's default is 300 s for the whole exchange")
_REQUEST_METHODS = ("get", "post", "put", "patch", "delete", "head", "options", "request")
_CALLS: Mapping[str, _Call] = MappingProxyType(
    {
        **{f"requests.{method}": _REQUESTS for method in _REQUEST_METHODS},
        **{f"requests.Session.{method}": _REQUESTS for method in _REQUEST_METHODS},
        **{f"httpx.{name}": _HTTPX for name in (*_REQUEST_METHODS, "stream", "Client", "AsyncClient")},
        **{f"httpx.{c}.{method}": _HTTPX for c in ("Client", "AsyncClient") for method in (*_REQUEST_METHODS, "stream")},
        "urllib.request.urlopen": _Call(True, "urlopen has no default time-out", position=2),
        "socket.create_connection": _Call(True, "sockets have no default time-out", position=1),
        "http.client.HTTPConnection": _Call(True, "http.client has no default time-out", position=2),
        "http.client.HTTPSConnection": _Call(True, "http.client has no default time-out", position=2),
        "aiohttp.ClientSession": _AIOHTTP,
    }
)
_CLIENTS = MappingProxyType(
    {
        "requests.Session": "requests.Session",
        "requests.session": "requests.Session",
        "httpx.Client": "httpx.Client",
        "httpx.AsyncClient": "httpx.AsyncClient",
    }
)
_LIBRARIES = frozenset(name.partition(".")[0] for name in _CALLS)
_NO_TIMEOUTS = ("httpx.Timeout", "aiohttp.ClientTimeout")


def audit(files: Iterable[tuple[str, str]]) -> tuple[Finding, ...]:
    """Findings in Python sources, given as (path, text), by path and line. A file that can't be parsed is a finding itself."""
    found: list[Finding] = []
    for path, text in files:
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError) as problem:
            line = getattr(problem, "lineno", None) or 1
            found.append(Finding(path, line, "", "", "can't be parsed", "what can't be read can't be audited", "correct the file"))
            continue
        imports = _imports(tree)
        if any(full.partition(".")[0] in _LIBRARIES for full in imports.values()):  # what isn't imported isn't called
            found += _File(path, text.splitlines(), imports, {}).findings(tree)
    return tuple(sorted(found, key=lambda f: (f.path, f.line, f.call)))


def _imports(tree: ast.Module) -> dict[str, str]:
    """Local name → full name, for all imports of the file."""
    names = {}
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = alias.name if alias.asname else alias.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return names


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """All statements, without a look into expressions, where most of a tree is."""
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        for child in getattr(node, field, ()):
            if isinstance(child, ast.stmt):
                yield child
            yield from _statements(child)


@dataclass
class _File:
    path: str
    lines: list[str]
    imports: dict[str, str]
    clients: dict[str, str]  # variable ("session", "self._http") → the client class that it holds

    def findings(self, tree: ast.Module) -> Iterator[Finding]:
        self._learn_clients(tree)
        for node, inside in _calls(tree, ""):
            name = self._name(node.func)
            rule = _CALLS.get(name)
            if rule and (state := self._timeout(node, rule)) and WAIVER not in self.lines[node.lineno - 1]:
                what = "called without a time-out" if state == "absent" else "called with its time-out switched off"
                yield Finding(self.path, node.lineno, inside, name, what, rule.why, f"pass {_SUGGESTED}")

    def _learn_clients(self, tree: ast.Module) -> None:
        for node in ast.walk(tree):
            targets: list[ast.expr] = []
            if isinstance(node, ast.Assign):
                targets, value = node.targets, node.value
            elif isinstance(node, ast.AnnAssign) and node.value:
                targets, value = [node.target], node.value
            elif isinstance(node, ast.withitem) and node.optional_vars:
                targets, value = [node.optional_vars], node.context_expr
            else:
                continue
            if isinstance(value, ast.Call) and (client := _CLIENTS.get(self._name(value.func))):
                self.clients.update({dotted: client for target in targets if (dotted := _dotted(target))})

    def _name(self, function: ast.expr) -> str:
        """The full name of what is called: imports and known clients resolved, "" when it can't be told."""
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Call):
            client = _CLIENTS.get(self._name(function.value.func))
            return f"{client}.{function.attr}" if client else ""
        dotted = _dotted(function)
        owner, _, last = dotted.rpartition(".")
        if owner in self.clients:
            return f"{self.clients[owner]}.{last}"
        first, _, rest = dotted.partition(".")
        full = self.imports.get(first, "")
        return f"{full}.{rest}" if full and rest else full

    def _timeout(self, node: ast.Call, rule: _Call) -> Literal["absent", "off", ""]:
        """ "" when the call is bounded, or when it can't be told (`**options`)."""
        given = next((k.value for k in node.keywords if k.arg == "timeout"), None)
        if given is None and rule.position is not None and len(node.args) > rule.position:
            given = node.args[rule.position]
        if given is not None:
            return "off" if self._is_none(given) else ""
        unknown = any(k.arg is None for k in node.keywords) or any(isinstance(a, ast.Starred) for a in node.args)
        return "absent" if rule.unbounded_by_default and not unknown else ""

    def _is_none(self, value: ast.expr) -> bool:
        if isinstance(value, ast.Call) and self._name(value.func) in _NO_TIMEOUTS:
            parts = [*value.args, *(k.value for k in value.keywords)]
            return bool(parts) and all(self._is_none(part) for part in parts)
        return isinstance(value, ast.Constant) and value.value is None


def _dotted(node: ast.expr) -> str:
    """`a.b.c` for a chain of names, "" for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _calls(node: ast.AST, inside: str) -> Iterator[tuple[ast.Call, str]]:
    for child in ast.iter_child_nodes(node):
        within = inside
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            within = f"{inside}.{child.name}" if inside else child.name
        if isinstance(child, ast.Call):
            yield child, within
        yield from _calls(child, within)
