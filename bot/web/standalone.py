"""The monitor page as one file that needs no server: its scripts and styles inside, and what it shows embedded as data."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path

from bot.errors import Refused
from bot.model import Event
from bot.web.page import PAGE
from bot.web.parts import Json
from bot.web.stream import event_json

_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="[^"]*">')
_STYLE = re.compile(r'<link rel="stylesheet" href="([a-z]+\.css)">')
_SCRIPT = re.compile(r'<script src="([a-z]+\.js)"></script>')


def standalone_page(monitor_dir: Path, state: Json, events: Sequence[Event]) -> str:
    """HTML that shows `state` (as of GET /api/state) and `events` (oldest first), the same page as the live one.

    Its policy lets exactly the embedded scripts and styles run and nothing be loaded. Raises Refused when the page's files do not
    have the form that is expected here.
    """
    page = (monitor_dir / PAGE).read_text(encoding="utf-8")
    styles = [_file(monitor_dir, name, "</style") for name in _STYLE.findall(page)]
    scripts = [_file(monitor_dir, name, "</script") for name in _SCRIPT.findall(page)]
    if not styles or not scripts or not _POLICY.search(page):
        raise Refused(f"{monitor_dir / PAGE} has no style, script or policy tag of the expected form: see bot/web/standalone.py")
    policy = (
        f"default-src 'none'; script-src {_hashes(scripts)}; style-src {_hashes(styles)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    data = f'<script type="application/json" id="saved">{_json_in_html(state, events)}</script>'
    style, script = iter(styles), iter(scripts)
    page = _POLICY.sub(lambda _: f'<meta http-equiv="Content-Security-Policy" content="{policy}">', page)
    page = _STYLE.sub(lambda _: f"<style>{next(style)}</style>", page)
    first = _SCRIPT.search(page)
    assert first is not None
    page = page[: first.start()] + data + "\n" + page[first.start() :]
    return _SCRIPT.sub(lambda _: f"<script>{next(script)}</script>", page)


def _file(monitor_dir: Path, name: str, end: str) -> str:
    text = (monitor_dir / name).read_text(encoding="utf-8")
    if end in text.lower():
        raise Refused(f"{monitor_dir / name} contains {end!r} and cannot be put inside a page")
    return text


def _hashes(texts: Sequence[str]) -> str:
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts)


def _json_in_html(state: Json, events: Sequence[Event]) -> str:
    """JSON without any character that could end the script element or begin a comment in it."""
    text = json.dumps({"state": state, "events": [event_json(event) for event in events]}, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
