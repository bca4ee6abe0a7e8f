"""The frame of every page and the pieces that pages share: times, badges, labels, boxes, diffs. Text is escaped here."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass

from bot.local.github.gitread import FileChange
from bot.local.github.hub import Hub, iso
from bot.local.github.markdown import Links, render_markdown
from bot.local.github.style import CSS

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")
escape = html.escape


@dataclass(frozen=True)
class View:
    """One rendering. `standalone` pages link to nothing, so that they can be kept as files."""

    hub: Hub
    standalone: bool = False

    def link(self, path: str, inner_html: str) -> str:
        """A link below the repository's page; in a standalone page just what it would show."""
        return inner_html if self.standalone else f'<a href="/{escape(self.hub.full_name)}{escape(path)}">{inner_html}</a>'

    @property
    def links(self) -> Links:
        if self.standalone:
            return Links(None, None)
        root = f"/{escape(self.hub.full_name)}"
        return Links(lambda number: f"{root}/issues/{number}", lambda sha: f"{root}/commit/{sha}")

    def markdown(self, text: str | None) -> str:
        return render_markdown(text, self.links) if text and text.strip() else "<p><em>No description provided.</em></p>"


def page(view: View, title: str, body: str) -> str:
    """A whole HTML document; the style sheet is in it, and there is no script."""
    name = escape(view.hub.full_name)
    tabs = "" if view.standalone else "<nav>" + "".join(view.link(path, text) for path, text in _TABS) + "</nav>"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)} · {name}</title><style>{CSS}</style></head>\n"
        f"<body><header><b>{view.link('', name)}</b>{tabs}</header>\n<main>{body}</main></body></html>\n"
    )


_TABS = (("", "Code"), ("/issues", "Issues"), ("/pulls", "Pull requests"), ("/actions", "Actions"))


def when(at_s: float | None) -> str:
    if at_s is None:
        return ""
    text = iso(at_s)
    return f'<time datetime="{text}">{text[:10]} {text[11:19]} UTC</time>'


def badge(state: str, text: str = "", *, small: bool = False) -> str:
    css = re.sub(r"[^a-z_]", "", state)
    return f'<span class="badge {css}{" small" if small else ""}">{escape(text or state.replace("_", " ").capitalize())}</span>'


def labels_html(hub: Hub, names: Iterable[str]) -> str:
    parts = []
    for name in names:
        label = hub.store.label_named(name)
        color = label.color if label else "ededed"
        parts.append(f'<span class="label"><span class="dot" style="background:#{escape(color)}"></span>{escape(name)}</span>')
    return "".join(parts)


def box(head_html: str, body_html: str, *, anchor: str = "") -> str:
    identifier = f' id="{escape(anchor)}"' if anchor else ""
    return f'<div class="box"{identifier}><div class="head">{head_html}</div><div class="body">{body_html}</div></div>'


def rows(items: Iterable[str], empty: str) -> str:
    shown = [f'<div class="row">{item}</div>' for item in items]
    return f'<div class="box">{"".join(shown) or f"<div class=row>{escape(empty)}</div>"}</div>'


def files_html(files: Iterable[FileChange]) -> str:
    """Every changed file with its coloured diff."""
    return "".join(_file_html(file) for file in files)


def _file_html(file: FileChange) -> str:
    name = f"{escape(file.previous_path)} → {escape(file.path)}" if file.previous_path else escape(file.path)
    counts = f'<span class="plus">+{file.additions}</span> <span class="minus">−{file.deletions}</span>'
    head = f'<div class="head"><b>{name}</b> · {escape(file.status)} · {counts}</div>'
    if file.patch is None:
        return f'<div class="box">{head}<div class="body">No text to compare.</div></div>'
    return f'<div class="box">{head}<table class="diff">{"".join(_diff_rows(file.patch))}</table></div>'


def _diff_rows(patch: str) -> Iterable[str]:
    old = new = 0
    for line in patch.split("\n"):
        found = _HUNK.match(line)
        if found:
            old, new = int(found[1]), int(found[2])
            yield _diff_row("hunk", "", "", line)
        elif line.startswith("+"):
            yield _diff_row("add", "", str(new), line)
            new += 1
        elif line.startswith("-"):
            yield _diff_row("del", str(old), "", line)
            old += 1
        elif line.startswith("\\"):
            yield _diff_row("hunk", "", "", line)
        else:
            yield _diff_row("same", str(old), str(new), line)
            old, new = old + 1, new + 1


def _diff_row(css: str, old: str, new: str, line: str) -> str:
    return f'<tr class="{css}"><td class="n">{old}</td><td class="n">{new}</td><td>{escape(line)}</td></tr>'
