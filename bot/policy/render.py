"""A verdict as people read it: Markdown for the pull request and the run's summary, plain text for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.model import Decision, Reason, Verdict

_MARK = {Decision.ALLOW: "✅", Decision.ASK: "🙋", Decision.DENY: "⛔", None: "➖"}
_HEADLINE = {
    Decision.ALLOW: "Allowed: the bot may merge this head.",
    Decision.ASK: "A person has to decide.",
    Decision.DENY: "Denied: this head may not be merged by the bot.",
}
_CELL_LIMIT = 300


def headline(verdict: Verdict) -> str:
    return _HEADLINE[verdict.decision]


def as_markdown(verdict: Verdict) -> str:
    """A headline, the rules that decided, and the whole tree folded. Every observed value stands in a code span, defused."""
    open_points = [r for r in verdict.reasons if r.decision in (Decision.ASK, Decision.DENY)]
    approvals = [r for r in verdict.reasons if r.rule == "approval"]
    lines = [f"### {_MARK[verdict.decision]} Guardrail: {headline(verdict)}", ""]
    for reason in (*open_points, *approvals):
        lines.append(f"- {_MARK[reason.decision]} **{_plain(reason.rule)}**: {_plain(reason.text)}{_figures(reason)}{_where(reason)}")
    if open_points or approvals:
        lines.append("")
    lines += ["<details><summary>All rules</summary>", "", "| | rule | finding | observed | limit | where |", "|---|---|---|---|---|---|"]
    for depth, reason in _walk(verdict.reasons):
        cells = (
            _MARK[reason.decision],
            "↳ " * depth + _plain(reason.rule),
            _plain(reason.text),
            _code(reason.observed),
            _code(reason.limit),
        )
        lines.append(f"| {' | '.join(cells)} | {_code(reason.where)} |")
    lines += ["", "</details>", "", f"Judged head `{_code_text(verdict.head_sha)}` by policies `{verdict.policy_sha[:12]}`."]
    return "\n".join(lines) + "\n"


def as_text(verdict: Verdict) -> str:
    """The tree, one reason a line, indented by depth."""
    lines = [f"{verdict.decision.value.upper()}  {headline(verdict)}"]
    for depth, reason in _walk(verdict.reasons):
        decision = reason.decision.value if reason.decision else "-"
        figures = f"  [{_one_line(reason.observed)}{' / ' + _one_line(reason.limit) if reason.limit else ''}]" if reason.observed else ""
        where = f"  ({reason.where})" if reason.where else ""
        lines.append(f"{'  ' * (depth + 1)}{decision:<5} {_one_line(reason.rule)}: {_one_line(reason.text)}{figures}{where}")
    lines.append(f"head {_one_line(verdict.head_sha)}, policies {verdict.policy_sha[:12]}")
    return "\n".join(lines) + "\n"


def _walk(reasons: tuple[Reason, ...], depth: int = 0) -> Iterator[tuple[int, Reason]]:
    for reason in reasons:
        yield depth, reason
        yield from _walk(reason.children, depth + 1)


def _figures(reason: Reason) -> str:
    if not reason.observed:
        return ""
    return f" (observed {_code(reason.observed)}{', limit ' + _code(reason.limit) if reason.limit else ''})"


def _where(reason: Reason) -> str:
    return f" — {_code(reason.where)}" if reason.where else ""


def _one_line(text: str) -> str:
    """Printable, on one line, bounded."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    return shown if len(shown) <= _CELL_LIMIT else f"{shown[: _CELL_LIMIT - 1]}…"


def _plain(text: str) -> str:
    """Our own sentences, with whatever they quote made harmless: no markup, mention, reference, command or table cell can begin in it."""
    shown = re.sub(r"([\\*_\[\]<>|~])", r"\\\1", _one_line(text))
    shown = re.sub(r"#(?=\w)", "#\u200b", shown)
    return re.sub(r"@(?=\w)", "@\u200b", shown)


def _code_text(text: str) -> str:
    return _one_line(text).replace("`", "ˋ").replace("|", "¦").replace("<!--", "<!\u200b--")


def _code(text: str) -> str:
    return f"`{_code_text(text)}`" if text else ""
