"""The saved page: one file, nothing loaded, nothing of the world's text taken for markup; and what the page's scripts never do."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import json
import re
from pathlib import Path

import pytest

from bot.errors import Refused
from bot.web.standalone import standalone_page
from tests.web.web_world import thought

MONITOR = Path(__file__).resolve().parents[2] / "monitor"
HOSTILE = "<!-- <script </script x></script><script>alert(1)</script><!--<script><img src=x onerror=alert(2)>&amp;\u2028 \\g<0>"


class Outline(html.parser.HTMLParser):
    """The elements of a page, and the text of its scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.texts.append((tag, ""))

    def handle_data(self, data: str) -> None:
        if self.lasttag in ("script", "style") and self.cdata_elem:
            tag, text = self.texts[-1]
            self.texts[-1] = (tag, text + data)


def saved_page() -> str:
    state = {"repository": "acme/market", "services": [{"name": HOSTILE}], "incidents": []}
    return standalone_page(MONITOR, state, [thought(HOSTILE, data=(("key", HOSTILE),), id=7)])


def test_the_saved_page_holds_everything_and_loads_nothing() -> None:
    outline = Outline(saved_page())
    assert all("src" not in attrs for _, attrs in outline.elements)
    links = [attrs for tag, attrs in outline.elements if tag == "link"]
    assert [attrs["href"] for attrs in links] == ["data:,"]
    assert not [tag for tag, _ in outline.elements if tag == "img"]


def test_what_was_said_comes_back_exactly_as_data() -> None:
    outline = Outline(saved_page())
    scripts = [text for tag, text in outline.texts if tag == "script"]
    files = re.findall(r'<script src="(.+?)">', (MONITOR / "monitor.html").read_text())
    assert len(scripts) == len(files) + 1, "the hostile text opened no script of its own"
    assert not set("<>&") & set(scripts[0]), "browsers end and comment out scripts by rules that this parser does not know"
    data = json.loads(scripts[0])
    assert data["state"]["services"][0]["name"] == HOSTILE
    assert (data["events"][0]["text"], data["events"][0]["data"]) == (HOSTILE, {"key": HOSTILE})
    assert scripts[1:] == [(MONITOR / name).read_text() for name in files]


def test_the_policy_names_exactly_the_scripts_and_styles_inside() -> None:
    outline = Outline(saved_page())
    (policy,) = [attrs["content"] or "" for tag, attrs in outline.elements if attrs.get("http-equiv") == "Content-Security-Policy"]
    inside = {f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for _, text in outline.texts}
    data_block = f"'sha256-{base64.b64encode(hashlib.sha256(outline.texts[1][1].encode()).digest()).decode()}'"
    assert set(re.findall(r"'sha256-[^']+'", policy)) == inside - {data_block}
    assert "default-src 'none'" in policy and "unsafe" not in policy and "connect-src" not in policy


def test_a_page_of_another_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "monitor.html").write_text("<p>hello</p>")
    with pytest.raises(Refused, match="expected form"):
        standalone_page(tmp_path, {}, [])


@pytest.mark.parametrize("path", sorted(MONITOR.glob("*.js")), ids=lambda path: path.name)
def test_the_scripts_never_make_markup_or_code_of_text(path: Path) -> None:
    markup = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|createContextualFragment|DOMParser"
    dangerous = markup + r"|\beval\b|new Function|javascript:"
    assert not re.search(dangerous, path.read_text())


def test_the_page_has_no_inline_script_style_or_handler() -> None:
    outline = Outline((MONITOR / "monitor.html").read_text())
    assert [text.strip() for _, text in outline.texts if text.strip()] == []
    for _, attrs in outline.elements:
        assert "style" not in attrs and not [name for name in attrs if name.startswith("on")]
