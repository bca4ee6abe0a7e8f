"""Which lines of a Markdown text its writer says in plain sight: not quoted, not code, not in a comment, not inside a link.

A careful line scanner, stricter than Markdown: where it can't tell how a renderer would read the text, nothing below counts as said.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

_FENCE = re.compile(r"(`{3,}|~{3,})(.*)", re.DOTALL)
_LIST_MARKER = re.compile(r"(?:[-*+]|[0-9]{1,9}[.)])(?:[ \t]+|$)")
_HIDING_TAG = re.compile(
    r"<(/?)(pre|code|blockquote|script|style|textarea|template|title|a|q|kbd|samp|tt|svg|math|iframe|noframes|xmp|s|del|strike)\b", re.I
)
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)")
_LINE_LIMIT, _TEXT_LIMIT = 1000, 65_536


@dataclass
class _Scanner:
    """The state between two lines. `lost`: we no longer know what a renderer would make of the text."""

    fence: str = ""  # the run of characters that opened the fenced code that we are in
    comment: bool = False
    quote: bool = False  # in a block quote, or in a paragraph that may lazily continue one
    html: bool = False  # in a block of raw HTML, up to the next blank line
    hiding: Counter[str] = field(default_factory=Counter)  # unclosed tags whose content is a quote, code or a link
    lost: bool = False
    unfinished: bool = False  # a line above in this paragraph opened inline code, a link or a tag that may still go on

    def says(self, line: str) -> bool:
        """Takes the next line; whether it stands in plain sight at the outermost level."""
        if self.lost:
            return False
        indentation = _indentation(line)
        text = line.strip(" \t")
        if self.fence:
            self._in_fence(text, indentation)
            return False
        if self.comment:
            self._in_comment(text)
            return False
        if not text:
            self.quote = self.html = self.unfinished = False
            return False
        return self._outside(text, indentation)

    def _in_fence(self, text: str, indentation: int) -> None:
        closing = set(text) == {self.fence[0]} and len(text) >= len(self.fence)
        if closing and indentation <= 3:
            self.fence = ""

    def _in_comment(self, text: str) -> None:
        _, closed, after = text.partition("-->")
        self.comment = not closed
        self.lost = "<" in after

    def _outside(self, text: str, indentation: int) -> bool:
        inner, nested = _without_list_markers(text)
        if _FENCE.match(inner) and not (inner[0] == "`" and "`" in inner.lstrip("`")):
            self._open_fence(inner, nested or indentation > 0)
            return False
        self.quote = self.quote or inner.startswith(">")
        visible = not (self.quote or self.html or self.hiding.total() or indentation > 3 or self.unfinished)
        self._html(text, indentation)
        self.unfinished = self.unfinished or _is_unfinished(text)
        return visible and not self.comment and not self.hiding.total()

    def _open_fence(self, inner: str, nested: bool) -> None:
        """A fence inside a list or raw HTML ends where its container ends, which we don't follow."""
        found = _FENCE.match(inner)
        if found is None or nested or self.html or self.hiding.total():
            self.lost = True
            return
        self.fence, self.quote = found[1], False
        self.unfinished = False

    def _html(self, text: str, indentation: int) -> None:
        plain = _CODE_SPAN.sub("", text)
        for tag in _HIDING_TAG.finditer(plain):
            name = tag[2].lower()
            self.hiding[name] = max(0, self.hiding[name] + (-1 if tag[1] else 1))
        self._comments(plain, is_block=text.startswith("<!--") and not indentation and not self.html)
        if re.match(r"<[A-Za-z/]", text):
            self.html = True
        elif re.match(r"<[?!](?!--)", text):
            self.lost = True

    def _comments(self, plain: str, *, is_block: bool) -> None:
        """Follows `<!-- … -->` through the line; an unclosed one goes on below."""
        _, opened, rest = plain.partition("<!--")
        while opened:
            if rest.startswith((">", "->")):  # <!--> and <!---> are whole comments
                rest = f"--{rest}" if rest[0] == ">" else f"-{rest}"
            _, closed, rest = rest.partition("-->")
            if not closed:
                self.comment = is_block
                self.lost = self.lost or not is_block  # it ends where its paragraph, list or tag does, which we don't follow
                return
            _, opened, rest = rest.partition("<!--")


def _is_unfinished(text: str) -> bool:
    """Whether inline code, a link, a definition or a tag may go on below this line."""
    rest = _CODE_SPAN.sub("", text)
    link = rest.count("[") != rest.count("]") or ("](" in rest and rest.count("(") != rest.count(")")) or rest.startswith("[")
    tag = re.search(r"<[A-Za-z/!?][^>]*$", rest)
    return link or tag is not None or "`" in rest


def _indentation(line: str) -> int:
    width = 0
    for character in line:
        if character == " ":
            width += 1
        elif character == "\t":
            width += 4 - width % 4
        else:
            break
    return width


def _without_list_markers(text: str) -> tuple[str, bool]:
    inner, nested = text, False
    while marker := _LIST_MARKER.match(inner):
        inner, nested = inner[marker.end() :], True
    return inner, nested


def visible_lines(text: str) -> tuple[str, ...]:
    """The lines in plain sight, without surrounding blanks. CRLF, LF and CR end a line; texts above 64 KiB and lines above 1,000
    characters are not looked at."""
    if len(text) > _TEXT_LIMIT:
        return ()
    scanner = _Scanner()
    lines = re.split(r"\r\n|\n|\r", text)
    return tuple(line.strip(" \t") for line in lines if scanner.says(line) and len(line) <= _LINE_LIMIT)
