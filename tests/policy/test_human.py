"""Slash commands: read from comments only where a reader sees that their writer gives them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.agents.human import VERBS, Command, help_text, misspelt_text, parse_commands, refusal_text

APPROVE = Command("approve")


@pytest.mark.parametrize(
    ("body", "commands"),
    [
        ("/sre approve", [APPROVE]),
        ("/SRE Approve", [APPROVE]),
        ("   /sre\tapprove  ", [APPROVE]),
        ("/sre", [Command("help")]),
        ("/sre hold until Monday, please", [Command("hold", "until Monday, please")]),
        ("/sre unhold", [Command("release")]),
        ("Looks good.\r\n/sre approve\r\nThanks!", [APPROVE]),
        ("one\r/sre approve\rtwo", [APPROVE]),
        ("/sre hold\n/sre deny", [Command("hold"), Command("deny")]),
        ("/sre approve\n" * 9, [APPROVE] * 5),
        ("<details>\n<summary>why</summary>\n\nbecause\n\n</details>\n\n/sre approve", [APPROVE]),
        ("<details>\n\n/sre approve\n\n</details>", [APPROVE]),
        ("- a\n- b\n\n/sre approve", [APPROVE]),
        ("> said\n\n/sre approve", [APPROVE]),
        ("```\ncode\n```\n/sre approve", [APPROVE]),
        ("````\n```\n````\n/sre approve", [APPROVE]),
        ("~~~\n```\n~~~\n/sre approve", [APPROVE]),
        ("<!-- one line -->\n/sre approve", [APPROVE]),
        ("use `x` and `<!--` here\n/sre approve", [APPROVE]),
        ("a [link](http://x) and (words)\n/sre approve", [APPROVE]),
        ("```js x``` is code\n/sre approve", [APPROVE]),
    ],
)
def test_a_command_on_a_line_of_its_own_is_read(body: str, commands: list[Command]) -> None:
    assert list(parse_commands(body)) == commands


@pytest.mark.parametrize(
    "body",
    [
        "",
        "please /sre approve",
        "@bot /sre approve",
        "`/sre approve`",
        "[/sre approve](http://x)",
        "**/sre approve**",
        "- /sre approve",
        "1. /sre approve",
        "| /sre approve |",
        "# /sre approve",
        "> /sre approve",
        "  > /sre approve",
        "> quoted\n/sre approve",
        "> quoted\nlazy\n/sre approve",
        "- > quoted\n/sre approve",
        "```\n/sre approve\n```",
        "```\n/sre approve",
        "~~~\n/sre approve\n~~~",
        "``` sh\n/sre approve\n```",
        "````\n```\n/sre approve\n```\n````",
        "~~~\n```\n/sre approve\n```\n~~~",
        "```\n~~~\n/sre approve\n~~~\n```",
        "```\n    ```\n/sre approve\n```",
        "```\n``` x\n/sre approve\n```",
        "- ```\n  code\ntext\n```\n/sre approve\n```",
        "- a\n  ```\n  /sre approve\n  ```",
        "> ```\n> code\n/sre approve",
        "    /sre approve",
        "\t/sre approve",
        "- a\n\n      /sre approve",
        "<!--\n/sre approve\n-->",
        "<!-- a\n\n/sre approve\n\n-->",
        "text <!-- a\n/sre approve\n-->",
        "<!--\n/sre approve",
        "<!-- a --> b <!--\n/sre approve\n-->",
        "<div>\n<!--\n\n/sre approve\n\n-->",
        "    <!--\n```\n-->\n/sre approve\n```",
        "- a\n\n  <!--\nb\n```\n-->\n/sre approve\n```",
        "a <!-- b\n<code>\n<!-->\n/sre approve",
        "`\n1. one\n```x`\n/sre approve\n\\`",
        "<script>\n</code>\n\ntext\n/sre approve",
        "<pre>\n/sre approve\n</pre>",
        "<pre>\n\n/sre approve\n</pre>",
        "<code>\n\n/sre approve\n\n</code>",
        "<blockquote>\n\n/sre approve\n\n</blockquote>",
        "<a href='x'>\n\n/sre approve\n\n</a>",
        "<script>\n\n/sre approve\n</script>",
        "<?php\n/sre approve\n?>",
        "<![CDATA[\n/sre approve\n]]>",
        "<p hidden>\n/sre approve\n</p>",
        "<details>\n```\n\ntext\n```\n/sre approve\n```",
        "a `code\n/sre approve\nspan`",
        "[a link\n/sre approve\n](http://x)",
        "[a]:\n/sre approve",
        "![alt\n/sre approve\n](x.png)",
        "/s\u200bre approve",
        "\u200b/sre approve",
        "\ufeff/sre approve",
        "/ſre approve",
        "/sre\u00a0approve",
        "a\u2028/sre approve",
        "/sreapprove",
        "/sre-space approve",
        "/lgtm",
        "/approve",
        "//sre approve",
        r"\/sre approve",
        "x" * 70_000 + "\n/sre approve",
    ],
)
def test_what_is_quoted_code_hidden_or_not_ours_is_no_command(body: str) -> None:
    assert parse_commands(body) == ()


def test_a_misspelt_verb_gets_a_suggestion_and_an_alien_one_none() -> None:
    assert parse_commands("/sre aprove") == (Command("aprove", known=False, suggestion="approve"),)
    assert parse_commands("/sre unholt") == (Command("unholt", known=False, suggestion="release"),)
    assert parse_commands("/sre dance") == (Command("dance", known=False),)
    (odd,) = parse_commands("/sre appro\u200bve`@all`<b>")
    assert (odd.verb, odd.known) == ("approveallb", False)
    assert "Did you mean `/sre approve`?" in misspelt_text("aprove", "approve")
    assert "mean" not in misspelt_text("dance", "")


def test_the_texts_name_every_command_its_cancel_and_who_may() -> None:
    text = help_text()
    for name, verb in VERBS.items():
        assert f"`/sre {name}`" in text
        if verb.needs_write:
            assert verb.cancel.removeprefix("/sre ") in VERBS
    assert "write permission" in refusal_text("eve", "approve", "read") and "may only read" in refusal_text("eve", "approve", "read")
    assert "you have none" in refusal_text("eve", "approve", "none")


# --- against a Markdown parser: whatever we take for a command, a renderer shows as plain text of the writer's own

LINES = [
    "/sre approve", "  /sre deny", "    /sre hold", "\t/sre retry", "/sre release\\", "text", "", "", "more text",
    "```", "````", "~~~", "``` sh", "```x`", "  ```", "    ```", "- ```", "> ```", "* ~~~", "  ~~~~", "1. ```",
    "> quote", ">", "- > deep", "  > q", "- item", "  item", "1. one", "- ", "-", "***", "---", "# head", "===",
    "    code", "      more code", "a ` b", "`", "``", "`<!--`", "`` ` ``", "<!--", "<!-- a", "-->", "<!-- x -->", "a <!-- b", "b --> c",
    "<!-->", "<details>", "</details>", "<pre>", "</pre>", "<code>", "</code>", "a <code>", "<div>", "</div>", "<?php", "?>", "<!X", ">>",
    "    <!--", "  <!--", "--> <pre>", "<b", "b>", "[", "[a", "](x)", "[a]:", "[a]: x", "<http://", "(", ")", "<script>", "</script>",
    "\\`", "\\", "&lt;", "![", "'t'",
]  # fmt: skip
_HIDING = re.compile(r"<(/?)(?:pre|code|script)\b", re.IGNORECASE)
_MARKDOWN = MarkdownIt("commonmark")


def shown(text: str) -> list[str]:
    """The lines of plain text at the outermost level or in lists, as a CommonMark parser reads them."""
    said: list[str] = []
    quoted = hidden = 0
    for token in _MARKDOWN.parse(text):
        quoted += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
        if token.type == "html_block":
            hidden = _hidden(token.content, hidden)
        elif token.type == "inline" and not quoted:
            hidden = _inline(token.children or [], said, hidden)
    return said


def _inline(children: list[Token], said: list[str], hidden: int) -> int:
    line, plain, links = "", True, 0
    for child in [*children, Token("softbreak", "br", 0)]:
        links += {"link_open": 1, "link_close": -1}.get(child.type, 0)
        if child.type in ("softbreak", "hardbreak"):
            if plain and not links and not hidden:
                said.append(line.strip())
            line, plain = "", True
        elif child.type == "text":
            line += child.content
            plain = plain and not links and not hidden
        elif child.type == "html_inline":
            hidden = _hidden(child.content, hidden)
            plain = False
        elif child.type not in ("em_open", "em_close", "strong_open", "strong_close"):
            plain = False
    return hidden


def _hidden(html: str, depth: int) -> int:
    for tag in _HIDING.finditer(re.sub(r"<!--.*?(?:-->|\Z)", "", html, flags=re.DOTALL)):
        depth = max(0, depth + (-1 if tag[1] else 1))
    return depth


@settings(max_examples=400)
@given(st.lists(st.sampled_from(LINES), min_size=1, max_size=12))
def test_a_command_is_always_something_that_a_renderer_shows_as_the_writers_own_plain_text(lines: list[str]) -> None:
    body = "\n".join(lines)
    given_lines = [f"/sre {command.verb}" for command in parse_commands(body)]
    visible = [line.rstrip("\\").strip() for line in shown(body)]
    for command in given_lines:
        if command in ("/sre help", "/sre ?"):
            continue
        assert command in visible, body
        visible.remove(command)


def test_the_oracle_sees_a_plain_command_and_not_a_quoted_one() -> None:
    assert shown("hello\n/sre approve") == ["hello", "/sre approve"]
    assert shown("> /sre approve") == [] and "/sre approve" not in shown("```\n/sre approve\n```")
