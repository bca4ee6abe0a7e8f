"""Markdown to safe HTML as GitHub shows it: tables, <details>, references to issues, commits and people; comments are invisible.

Whatever the text holds, the result has only the tags named here, no scripts, no styles and no images.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from bot.local.github.chart import draw_chart

_TAGS: Final = frozenset(
    {"a", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "hr", "i", "ins", "kbd", "li", "ol", "p", "pre"}
    | {"h1", "h2", "h3", "h4", "h5", "h6", "q", "s", "samp", "small", "span", "strong", "sub", "summary", "sup", "tt", "ul", "var"}
    | {"table", "tbody", "td", "th", "thead", "tr"}
)
_REFERENCE: Final = re.compile(
    r"(?<![\w/#&@])(?:#(?P<issue>\d{1,9})\b|(?P<sha>[0-9a-f]{40})\b|@(?P<login>[A-Za-z0-9][A-Za-z0-9-]{0,38}(?:\[bot\])?))"
)
_CHART_MARK: Final = "chart-{}-of-this-text"


@dataclass(frozen=True)
class Links:
    """Where references lead; a page that stands alone has none."""

    issue: Callable[[int], str] | None
    commit: Callable[[str], str] | None


def render_markdown(text: str, links: Links) -> str:
    """Safe HTML of an issue's, comment's or pull request's text."""
    charts: list[str] = []

    def fence(renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
        """Mermaid's xychart-beta is drawn; every other fenced block stays code."""
        token = tokens[index]
        drawing = draw_chart(token.content) if token.info.split()[:1] == ["mermaid"] else None
        if drawing is None:
            return f"<pre><code>{html.escape(token.content)}</code></pre>\n"
        charts.append(drawing)
        return f"<p>{_CHART_MARK.format(len(charts) - 1)}</p>\n"

    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    parser.add_render_rule("fence", fence)
    parser.core.ruler.push("references", lambda state: _link_references(state, links))
    safe = nh3.clean(
        parser.render(text),
        tags=set(_TAGS),
        attributes={"a": {"href", "title"}, "details": {"open"}, "td": {"align"}, "th": {"align"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow noopener",
        strip_comments=True,
    )
    for number, drawing in enumerate(charts):
        safe = safe.replace(f"<p>{_CHART_MARK.format(number)}</p>", drawing, 1)
    return safe


def _link_references(state: StateCore, links: Links) -> None:
    """#12, commit ids and @logins in running text; not in code, not inside a link."""
    for block in state.tokens:
        if block.type != "inline" or not block.children:
            continue
        children: list[Token] = []
        depth = 0
        for child in block.children:
            depth += {"link_open": 1, "link_close": -1}.get(child.type, 0)
            if child.type == "text" and depth == 0 and _REFERENCE.search(child.content):
                child = Token("html_inline", "", 0, content=reference_html(child.content, links))
            children.append(child)
        block.children = children


def reference_html(text: str, links: Links) -> str:
    """Escaped text with its references linked."""
    parts: list[str] = []
    position = 0
    for found in _REFERENCE.finditer(text):
        parts += [html.escape(text[position : found.start()]), _one_reference(found, links)]
        position = found.end()
    return "".join([*parts, html.escape(text[position:])])


def _one_reference(found: re.Match[str], links: Links) -> str:
    if found["issue"]:
        return f'<a href="{links.issue(int(found["issue"]))}">#{found["issue"]}</a>' if links.issue else f"#{found['issue']}"
    if found["sha"]:
        short = f"<code>{found['sha'][:7]}</code>"
        return f'<a href="{links.commit(found["sha"])}">{short}</a>' if links.commit else short
    return f"<strong>@{html.escape(found['login'])}</strong>"
