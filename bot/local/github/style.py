"""The pages' one style sheet, light and dark."""

from __future__ import annotations

CSS = """
:root{color-scheme:light dark;--fg:#1f2328;--dim:#59636e;--bg:#fff;--soft:#f6f8fa;--line:#d1d9e0;--link:#0969da;--open:#1a7f37;
--closed:#cf222e;--merged:#8250df;--done:#8250df;--add:#dafbe1;--del:#ffebe9;--hunk:#ddf4ff;--wait:#9a6700}
@media(prefers-color-scheme:dark){:root{--fg:#f0f6fc;--dim:#9198a1;--bg:#0d1117;--soft:#151b23;--line:#3d444d;--link:#4493f8;
--open:#238636;--closed:#da3633;--merged:#8957e5;--done:#8957e5;--add:#12361f;--del:#43191b;--hunk:#121d2f;--wait:#d29922}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);
font:14px/1.5 -apple-system,BlinkMacSystemFont,"Segoe UI","Noto Sans",Helvetica,Arial,sans-serif}
a{color:var(--link);text-decoration:none}
a:hover{text-decoration:underline}
header{background:var(--soft);border-bottom:1px solid var(--line);padding:14px 24px}
header nav{margin-top:8px}
header nav a{margin-right:18px}
main{max-width:1012px;margin:0 auto;padding:24px 16px 64px}
h1{font-weight:400;font-size:26px;line-height:1.25;margin:0 0 8px}
h1 .number{color:var(--dim);font-weight:300}
.meta{color:var(--dim);margin-bottom:20px}
.badge{display:inline-block;border-radius:2em;color:#fff;padding:4px 12px;font-weight:500;margin-right:8px;background:var(--dim)}
.badge.open,.badge.success{background:var(--open)}
.badge.closed,.badge.failure,.badge.timed_out{background:var(--closed)}
.badge.merged,.badge.completed{background:var(--merged)}
.badge.small{font-size:12px;padding:0 8px}
.label{display:inline-block;border:1px solid var(--line);border-radius:2em;padding:0 9px;font-size:12px;font-weight:500;
margin:0 4px 4px 0;background:var(--soft)}
.dot{display:inline-block;width:10px;height:10px;border-radius:50%;margin-right:6px;vertical-align:-1px}
.box{border:1px solid var(--line);border-radius:6px;margin:0 0 20px;overflow:hidden}
.box>.head{background:var(--soft);border-bottom:1px solid var(--line);padding:8px 16px;color:var(--dim)}
.box>.head b{color:var(--fg)}
.box>.body{padding:16px;overflow-x:auto}
.row{padding:8px 16px;border-top:1px solid var(--line)}
.row:first-child{border-top:0}
.row .meta{margin:0}
.body>:first-child{margin-top:0}
.body>:last-child{margin-bottom:0}
.body h1,.body h2{border-bottom:1px solid var(--line);padding-bottom:.3em;font-weight:600}
.body h1{font-size:1.6em}
.body h2{font-size:1.35em}
.body h3{font-size:1.15em}
code,pre,.diff{font:12px/1.5 ui-monospace,SFMono-Regular,"SF Mono",Menlo,Consolas,monospace}
code{background:var(--soft);border-radius:6px;padding:.2em .4em}
pre{background:var(--soft);border-radius:6px;padding:12px;overflow-x:auto}
pre code{padding:0;background:none}
blockquote{margin:0;padding:0 1em;border-left:.25em solid var(--line);color:var(--dim)}
table{border-collapse:collapse;margin:0 0 16px}
.body th,.body td{border:1px solid var(--line);padding:6px 13px}
details{margin-bottom:12px}
summary{cursor:pointer}
.tick{fill:var(--dim);font-size:11px}
.chart-title{fill:var(--fg);font-size:13px;font-weight:600}
.grid{stroke:var(--line)}
.bar{fill:var(--link);opacity:.75}
.chart{width:100%;max-width:720px;display:block;margin:0 0 16px}
.line{fill:none;stroke:var(--link);stroke-width:2}
.line-1{stroke:var(--closed)}
.line-2{stroke:var(--open)}
.diff{border-collapse:collapse;width:100%;margin:0}
.diff td{padding:0 12px;white-space:pre-wrap;overflow-wrap:anywhere;vertical-align:top}
.diff .n{width:1%;min-width:44px;text-align:right;color:var(--dim);padding:0 8px;user-select:none}
.diff .add{background:var(--add)}
.diff .del{background:var(--del)}
.diff .hunk{background:var(--hunk);color:var(--dim)}
.plus{color:var(--open)}
.minus{color:var(--closed)}
.pending{color:var(--wait)}
h2.section{font-size:18px;font-weight:600;margin:28px 0 12px}
"""
