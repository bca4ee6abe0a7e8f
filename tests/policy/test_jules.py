"""Jules: finds client calls without a time-out in sources, and keeps one proposal issue current."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bot.agents.jules import PROPOSAL_LABEL, audit, proposal_body, propose, run_audit
from bot.agents.timeouts import Finding
from bot.record import Keyring
from tests.policy.repository import BOT, Board
from tests.policy.texts import ROOT

KEYRING = Keyring(b"key", "acme/shop")


def found(source: str) -> list[tuple[int, str]]:
    return [(f.line, f.call) for f in audit([("a.py", source)])]


FINDINGS = [
    ("import requests\nrequests.get(url)", (2, "requests.get")),
    ("import requests as r\nr.post(url, json={})", (2, "requests.post")),
    ("from requests import get\nget(url)", (2, "requests.get")),
    ("from requests import get as fetch\nfetch(url, timeout=None)", (2, "requests.get")),
    ("import requests\ns = requests.Session()\ns.get(url)", (3, "requests.Session.get")),
    ("import requests\nwith requests.session() as s:\n    s.put(url)", (3, "requests.Session.put")),
    ("import requests\nrequests.Session().get(url)", (2, "requests.Session.get")),
    ("import requests\nclass A:\n    def __init__(self):\n        self.s = requests.Session()\n    def f(self):\n        self.s.get(1)",
     (6, "requests.Session.get")),
    ("import httpx\nhttpx.get(url, timeout=None)", (2, "httpx.get")),
    ("import httpx\nhttpx.AsyncClient(base_url=u, timeout=None)", (2, "httpx.AsyncClient")),
    ("import httpx\nhttpx.Client(timeout=httpx.Timeout(None))", (2, "httpx.Client")),
    ("from httpx import AsyncClient, Timeout\nAsyncClient(timeout=Timeout(timeout=None))", (2, "httpx.AsyncClient")),
    ("import httpx\nwith httpx.Client() as c:\n    c.get(u, timeout=None)", (3, "httpx.Client.get")),
    ("import urllib.request\nurllib.request.urlopen(url)", (2, "urllib.request.urlopen")),
    ("from urllib.request import urlopen\nurlopen(url, None, None)", (2, "urllib.request.urlopen")),
    ("from urllib import request\nrequest.urlopen(url)", (2, "urllib.request.urlopen")),
    ("import socket\nsocket.create_connection(address)", (2, "socket.create_connection")),
    ("import http.client\nhttp.client.HTTPSConnection(host)", (2, "http.client.HTTPSConnection")),
    ("import aiohttp\naiohttp.ClientSession()", (2, "aiohttp.ClientSession")),
    ("import aiohttp\naiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))", (2, "aiohttp.ClientSession")),
]  # fmt: skip


@pytest.mark.parametrize(("source", "finding"), FINDINGS, ids=[f"{call}-{n}" for n, (_, (_, call)) in enumerate(FINDINGS)])
def test_a_call_that_can_wait_without_end_is_found(source: str, finding: tuple[int, str]) -> None:
    assert found(source) == [finding]


@pytest.mark.parametrize(
    "source",
    [
        "import requests\nrequests.get(url, timeout=3)",
        "import requests\nrequests.get(url, **options)",
        "import requests\nrequests.codes.ok\nrequests.Session()",
        "import httpx\nhttpx.get(url)\nhttpx.AsyncClient()\nhttpx.AsyncClient(timeout=httpx.Timeout(5))",
        "import httpx\nhttpx.AsyncClient(timeout=httpx.Timeout(5, read=None))",
        "import httpx\nhttpx.MockTransport(handler)",
        "from urllib.request import urlopen\nurlopen(url, None, 3)\nurlopen(url, timeout=3)",
        "import socket\nsocket.create_connection(address, 3)\nsocket.create_connection(*given)",
        "import aiohttp\naiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3))",
        "class requests:\n    pass\ndef get(): ...\nget()",
        "from .requests import get\nget(url)",
        "session.get(key)\ncache.get(key)\n{}.get(1)",
        "import requests\nrequests.get(url)  # no time-out: the process is killed after a second",
        "",
    ],
)
def test_a_bounded_call_or_another_thing_of_that_name_is_not_found(source: str) -> None:
    assert found(source) == []


def test_a_finding_says_where_inside_and_keeps_its_key_when_lines_move() -> None:
    source = "import requests\nclass A:\n    async def f(self):\n        return requests.get(1)\n"
    (first,) = audit([("a.py", source)])
    (moved,) = audit([("a.py", f"# a comment\n\n{source}")])
    (elsewhere,) = audit([("b.py", source)])
    assert first.inside == "A.f" and "no default time-out" in first.why and first.suggestion
    assert (moved.line, moved.key) == (first.line + 2, first.key) and elsewhere.key != first.key


def test_a_file_that_cannot_be_parsed_is_a_finding_and_the_others_are_still_read() -> None:
    findings = audit([("bad.py", "def f(:\n"), ("nul.py", "a\0b"), ("good.py", "import requests\nrequests.get(1)")])
    assert [(f.path, f.what) for f in findings] == [
        ("bad.py", "can't be parsed"),
        ("good.py", "called without a time-out"),
        ("nul.py", "can't be parsed"),
    ]


def test_this_repository_is_audited_without_an_error() -> None:
    out = io.StringIO()
    code = run_audit([str(ROOT / "bot"), str(ROOT / "userplane")], out)
    assert code == 0, out.getvalue()


def test_the_command_prints_findings_and_exits_by_them(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / ".venv").mkdir()
    (tmp_path / "src" / "a.py").write_text("import requests\nrequests.get(1)\n", encoding="utf-8")
    (tmp_path / ".venv" / "b.py").write_text("import requests\nrequests.get(1)\n", encoding="utf-8")
    out = io.StringIO()
    assert run_audit(["--json", str(tmp_path)], out) == 1
    (finding,) = json.loads(out.getvalue())["findings"]
    assert finding["line"] == 2 and finding["path"].endswith("src/a.py")
    (tmp_path / "src" / "a.py").write_text("", encoding="utf-8")
    assert run_audit([str(tmp_path)], io.StringIO()) == 0
    assert run_audit([str(tmp_path / "missing")], io.StringIO()) == 2


# --- the proposal issue


def finding(path: str, line: int = 3) -> Finding:
    return Finding(path, line, "f", "requests.get", "called without a time-out", "requests has no default time-out", "pass timeout=…")


def proposed(board: Board, *findings: Finding) -> int | None:
    return asyncio.run(propose(board, KEYRING, BOT, findings))


def test_one_issue_follows_the_findings_from_the_first_to_the_last_and_back() -> None:
    board = Board()
    assert proposed(board) is None and board.writes == 0
    number = proposed(board, finding("a.py"))
    assert number is not None
    issue = board.all_issues[number]
    assert issue.state == "open" and issue.labels == (PROPOSAL_LABEL,) and "`a.py:3`" in issue.body
    writes = board.writes
    assert proposed(board, finding("a.py")) == number and board.writes == writes  # nothing changed, nothing written
    assert proposed(board, finding("a.py", line=9), finding("b.py")) == number
    assert "`a.py:9`" in board.all_issues[number].body and "`b.py:3`" in board.all_issues[number].body
    assert proposed(board) == number and board.all_issues[number].state == "closed"
    writes = board.writes
    assert proposed(board) == number and board.writes == writes
    assert proposed(board, finding("c.py")) == number and board.all_issues[number].state == "open"
    assert len(board.all_issues) == 1


def test_a_person_closes_the_proposal_and_only_a_new_finding_opens_it_again() -> None:
    board = Board()
    number = proposed(board, finding("a.py"), finding("b.py"))
    assert number is not None
    board.all_issues[number] = replace(board.all_issues[number], state="closed")
    writes = board.writes
    proposed(board, finding("a.py", line=40))
    assert board.all_issues[number].state == "closed" and board.writes == writes
    proposed(board, finding("a.py"), finding("new.py"))
    assert board.all_issues[number].state == "open"


def test_forged_and_foreign_issues_are_left_alone_and_a_twin_is_closed() -> None:
    board = Board()
    body = proposal_body([finding("a.py")], KEYRING)
    forged = proposal_body([finding("a.py")], Keyring(b"another key", "acme/shop"))
    for author, text in (("mallory", body), (BOT, forged), (BOT, "by hand")):
        issue = asyncio.run(board.create_issue("x", text, [PROPOSAL_LABEL]))
        board.all_issues[issue.number] = replace(issue, author=author)
    number = proposed(board, finding("a.py"))
    assert number == 4 and [board.all_issues[n].body for n in (1, 2, 3)] == [body, forged, "by hand"]
    asyncio.run(board.create_issue("twin", body, [PROPOSAL_LABEL]))
    assert proposed(board, finding("a.py")) == 4
    assert [board.all_issues[n].state for n in (4, 5)] == ["open", "closed"]


def test_a_hostile_path_stays_in_its_cell() -> None:
    body = proposal_body([finding("a`|\n/sre approve @all.py")], KEYRING)
    assert "\n/sre approve" not in body
    (row,) = [line for line in body.splitlines() if "approve" in line]
    assert row.startswith("| ") and row.count("|") == 5
