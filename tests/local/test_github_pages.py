"""Stories about the pages of the embedded GitHub: what people read, and that nothing in it can run."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from bot.local.contracts import CheckRunUpdate
from bot.local.github.chart import draw_chart, parse_chart
from bot.local.github.markdown import Links, render_markdown
from tests.local.github_world import page_text, world

LINKS = Links(lambda number: f"/i/{number}", lambda sha: f"/c/{sha}")

ISSUE = """<!-- marker: hidden -->
`POST /quotes` is slow, see #1 and @wendy.

| | before | now |
|---|---|---|
| p99 | 0.3 s | **5.0 s** |

<details><summary>Evidence</summary>

```
@wendy #1 <script>alert(1)</script>
```

</details>

```mermaid
xychart-beta
    title "p99 of POST /quotes"
    x-axis ["09:00", "09:01", "09:02"]
    y-axis "seconds" 0 --> 6
    line [0.3, 0.3, 5]
```
"""


def test_issue_page_reads_like_github_and_hides_comments(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            await w.do("sre-space[bot]", "POST", "/issues", {"title": "Slow <b>quotes</b>", "body": ISSUE, "labels": ["sre"]})
            await w.do("rita", "POST", "/issues/1/comments", {"body": "Thanks @sre-space[bot] <img src=x onerror=alert(1)>"})
            shown = page_text(await w.client.get("/alice/shop/issues/1"))
            assert "Slow &lt;b&gt;quotes&lt;/b&gt;" in shown and "marker: hidden" not in shown
            assert "<strong>@wendy</strong>" in shown and '<a href="/alice/shop/issues/1" rel="nofollow noopener">#1</a>' in shown
            assert "<details>" in shown and "<td><strong>5.0 s</strong></td>" in shown and "<polyline" in shown
            assert "@wendy #1 &lt;script&gt;" in shown, "code is left as it is"
            assert "<script" not in shown and "<img" not in shown and "onerror" not in shown
            assert "Slow &lt;b&gt;" in page_text(await w.client.get("/alice/shop/issues"))
            headers = (await w.client.get("/alice/shop/issues/1")).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert (await w.client.get("/alice/shop/issues/9")).status_code == 404
            assert (await w.client.get("/bob/shop/issues/1")).status_code == 404

    asyncio.run(story())


def test_pull_page_shows_checks_commits_and_the_diff_and_stands_alone_as_a_file(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as w:
            pull = await w.pull("fix", {"app/quote.py": "<b>new</b>\n"}, body="Refs #7, from " + "a" * 40)
            number, head = pull["number"], pull["head"]["sha"]
            update = CheckRunUpdate("guardrail", head, "completed", "failure", title="deny", summary="**size**: 40 > 20 lines")
            w.github.report_check_run(None, update)
            shown = page_text(await w.client.get(f"/alice/shop/pull/{number}"))
            for expected in (
                "guardrail",
                "failure",
                "<strong>size</strong>",
                "app/quote.py",
                "+&lt;b&gt;new&lt;/b&gt;",
                'class="del"',
                "Open",
            ):
                assert expected in shown, expected
            moved = await w.client.get(f"/alice/shop/issues/{number}")
            assert (moved.status_code, moved.headers["location"]) == (302, f"/alice/shop/pull/{number}")

            merged = await w.do("alice", "PUT", f"/pulls/{number}/merge", {})
            alone = w.github.render_pull_page(number, standalone=True)
            assert "Merged" in alone and merged["sha"][:7] in alone and "+&lt;b&gt;new" in alone
            assert not re.search(r"(href|src)=", alone), "nothing in it needs the server"
            assert not re.search(r"(href|src)=", w.github.render_issue_page(number, standalone=True))
            commit = page_text(await w.client.get(f"/alice/shop/commit/{head}"))
            assert "alice" in commit and 'class="add"' in commit
            assert "Merged" in page_text(await w.client.get("/alice/shop/pulls"))
            assert "first commit" not in page_text(await w.client.get("/alice/shop")) and "README.md" in page_text(
                await w.client.get("/alice/shop")
            )

    asyncio.run(story())


def test_markdown_lets_nothing_run_and_links_only_outside_of_code() -> None:
    evil = '[x](javascript:alert(1)) <a href="javascript:1" onclick="1">y</a> <style>*{}</style><svg onload=1></svg><iframe src=x></iframe>'
    html = render_markdown(evil, LINKS)
    assert not re.search(r"<(style|svg|iframe|script)|onclick|onload|href", html)
    assert "javascript:" not in re.sub(r"\[x\]\(javascript:alert\(1\)\)", "", html)
    text = render_markdown("#12 `#13` [#14](http://x.example) mail@host.example " + "b" * 40, LINKS)
    assert re.findall(r'href="([^"]*)"', text) == ["/i/12", "http://x.example", f"/c/{'b' * 40}"]
    assert "<strong>@host" not in text
    assert "#12" in render_markdown("#12", Links(None, None)) and "href" not in render_markdown("#12", Links(None, None))


def test_only_a_chart_that_is_understood_is_drawn() -> None:
    assert draw_chart("graph TD; a-->b") is None
    assert draw_chart("xychart-beta\n pie 3\n line [1]") is None
    assert draw_chart("xychart-beta\n line [1, x]") is None
    chart = parse_chart('xychart-beta\n title "t"\n x-axis "minute" [a, "b c"]\n y-axis "s" 0 --> 5.5\n line [1, -2.5]\n bar [3]')
    assert chart is not None
    assert (chart.title, chart.x_names, chart.x_title, chart.y_title, chart.y_range) == ("t", ("a", "b c"), "minute", "s", (0.0, 5.5))
    assert chart.series == (("line", (1.0, -2.5)), ("bar", (3.0,)))
    drawn = draw_chart('xychart-beta\n title "</svg><script>"\n line [1, 1]')
    assert drawn is not None and "<script>" not in drawn and "&lt;/svg&gt;" in drawn
    assert "<pre><code>graph TD" in render_markdown("```mermaid\ngraph TD; a--&gt;b\n```", LINKS)
