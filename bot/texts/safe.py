"""Untrusted words in Markdown: shown as they are, read by nobody as a mention, a reference, a command, a comment, a link or HTML."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_BREAK = "\u200b"  # zero-width space: breaks what GitHub, or we, would act on; invisible to readers
_ACTIVE = re.compile(r"@|#|/(?=sre\b)|<(?=!--)|\bGH(?=-\d)", re.IGNORECASE)
_ADDRESS = re.compile(r":(?=//)|\bwww(?=\.)", re.IGNORECASE)  # what GitHub makes a link, and a reference, outside code
_MARKDOWN = re.compile(r"[\\`*\[\]<>~&$]|(?<![^\W_])_|_(?![^\W_])")  # an underscore within a word marks nothing up
_LIST = re.compile(r"(\d{1,9})([.)])|([-+=:])")  # at the beginning of a paragraph
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co"})  # control, direction and other invisible characters, halves of surrogate pairs
_LONGEST_LINE = 4_000  # more than any text shows of a line
TEXT_LIMIT = 30_000  # of a whole text: with the largest sealed record below it, it stays under GitHub's 65,536


def clean(text: str) -> str:
    """Without characters that cannot be seen or turn the reading direction; line ends as `\\n`."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    hidden = [c for c in set(lines) if not c.isprintable() and c not in "\n\t" and unicodedata.category(c) in _HIDDEN]
    return lines.translate(dict.fromkeys(map(ord, hidden))) if hidden else lines


def one_line(text: str) -> str:
    return " ".join(clean(text[:_LONGEST_LINE]).split())


def cut(text: str, limit: int) -> str:
    """At most `limit` characters; a cut shows."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def defuse(text: str) -> str:
    """Mentions, issue references, slash commands and HTML comments lose their effect; what is invisible goes."""
    return _broken(_ACTIVE, clean(text))


def _broken(what: re.Pattern[str], text: str) -> str:
    return what.sub(lambda m: m[0] + _BREAK, text)


def fence(text: str, language: str = "text", limit: int = 8000) -> str:
    """A fenced code block that its content cannot close."""
    body = defuse(text[:limit]) + ("\n… (cut)" if len(text) > limit else "")
    ticks = "`" * max(3, 1 + _longest_run(body))
    return f"{ticks}{language}\n{body}\n{ticks}"


def code(text: str, limit: int = 120) -> str:
    """An inline code span on one line, safe in tables too."""
    body = defuse(cut(one_line(text), limit)).replace("|", "¦")
    ticks = "`" * (1 + _longest_run(body))
    pad = " " if body.startswith("`") or body.endswith("`") else ""
    return f"{ticks}{pad}{body or ' '}{pad}{ticks}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def plain(text: str, limit: int = 600) -> str:
    """A sentence that is not ours (a model's, or one with names from telemetry in it), on one line, without any markup of its own."""
    body = cut(one_line(text), limit).replace("|", "¦") or "(nothing)"  # markers with nothing between them would open something else
    marked = _MARKDOWN.sub(r"\\\g<0>", body)
    if first := _LIST.match(body):
        marked = f"{first[1]}\\{first[2]}{marked[first.end() :]}" if first[1] else f"\\{marked}"
    return _broken(_ADDRESS, defuse(marked))


def heading(text: str, limit: int = 120) -> str:
    """A title of an issue, a pull request or a commit: no Markdown there, but references count, and words in square brackets
    (`[skip ci]`, `[skip render]`) would switch machines off."""
    body = cut(one_line(text), limit).replace("[", "(").replace("]", ")").replace("`", "'")
    return cut(_broken(_ADDRESS, defuse(body)), limit)  # GitHub refuses titles above 256 characters, invisible ones included


def fold(summary: str, body: str) -> str:
    """A part that opens on a click. `summary` is ours."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def paragraphs(parts: Sequence[str], limit: int = TEXT_LIMIT) -> str:
    """The parts with blank lines between, as many as fit; what is left out is said. A part is never cut, so its fences stay closed."""
    shown: list[str] = []
    for part in filter(None, parts):
        if sum(len(p) + 2 for p in shown) + len(part) > limit - 100:
            shown.append("… The rest is too long to be shown here.")
            break
        shown.append(part)
    return "\n\n".join(shown)
