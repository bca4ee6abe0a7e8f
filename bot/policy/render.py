"""A verdict as people read it: Markdown for the pull request and the run's summary, plain text for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from bot.model import Decision, Reason, Verdict
from bot.policy.evaluate import HOW_TO_APPROVE

_MARK = {Decision.ALLOW: "✅", Decision.ASK: "🙋", Decision.DENY: "⛔", None: "➖"}
_HEADLINE = {
    Decision.ALLOW: "Allowed: the bot may merge this head.",
    Decision.ASK: "A person has to decide.",
    Decision.DENY: "Denied: this head may not be merged by the bot.",
}
_HOW_TO_OVERRIDE = {
    Decision.ASK: "To allow exactly this head, comment `/sre approve`; to refuse it, `/sre deny`. Either needs write permission, and a push"
    " makes an approval void.",
    Decision.DENY: "A denial cannot be approved away. Change what the rules below object to, make the fix by hand, or change the rules in"
    " `policies/` on the default branch.",
}
_TELLING = (("confidence",), ("service-files", "protected-files", "size"), ("proposal",))  # what a reader of an allow wants to know first
_CELL_LIMIT = 300
_TOLD_LIMIT = 5  # rules spelled out; the others stand in the tree
_TREE_LIMIT = 20_000  # characters; with its sealed record a verdict stays below GitHub's 65,536
_BREAK = "\u200b"
_TICKS = re.compile(r"(?<!`)(`[^`\\]+`)(?!`)|`+")  # a whole code span, which may stay; or ticks that could open one elsewhere on the line
_ACTIVE = re.compile(r"@|#|(?<!`)/(?=sre\b)|<(?=!--)|\bGH(?=-\d)|:(?=//)|\bwww(?=\.)", re.IGNORECASE)


def headline(verdict: Verdict) -> str:
    return _HEADLINE[verdict.decision]


def as_markdown(verdict: Verdict) -> str:
    """A headline, how to override it, the rules that decided, and the whole tree folded. Observed values stand in code spans, defused."""
    lines = [f"### {_MARK[verdict.decision]} Guardrail: {headline(verdict)}", ""]
    if how := _HOW_TO_OVERRIDE.get(verdict.decision):
        lines += [how, ""]
    if told := _told(verdict):
        lines += [*told, ""]
    lines += _tree(verdict)
    lines += ["", f"Judged head `{_code_text(verdict.head_sha)}` by policies `{_code_text(verdict.policy_sha[:12])}`."]
    return "\n".join(lines) + "\n"


def _told(verdict: Verdict) -> list[str]:
    """What decided: the rules that object and the approvals that answer them; of an allow the few that matter most."""
    open_points = [r for r in verdict.reasons if r.decision in (Decision.ASK, Decision.DENY)]
    approvals = [r for r in verdict.reasons if r.rule == "approval"]
    lines = [
        f"- {_MARK[r.decision]} **{_plain(r.rule)}**: {_finding(r)}{_figures(r)}{_where(r)}"
        for r in (*open_points, *(a for a in approvals if a not in open_points))[:_TOLD_LIMIT]
    ]
    if verdict.decision is not Decision.ALLOW:
        return lines
    named = {r.rule: r for r in verdict.reasons if r.decision is Decision.ALLOW}
    for group in _TELLING:
        reasons = [named[rule] for rule in group if rule in named]
        if reasons:
            lines.append(f"- {_MARK[Decision.ALLOW]} {_sentence(reasons)}{_figures(reasons[-1])}{_where(reasons[-1])}")
    return lines


def _finding(reason: Reason) -> str:
    """What a rule found; how to approve stands above, once."""
    return _plain(reason.text.removesuffix(f"; {HOW_TO_APPROVE}"))


def _sentence(reasons: Sequence[Reason]) -> str:
    text = "; ".join(_finding(reason) for reason in reasons)
    return text[:1].upper() + text[1:]


def _tree(verdict: Verdict) -> list[str]:
    rows = list(_walk(verdict.reasons))
    held = sum(reason.decision is Decision.ALLOW for reason in verdict.reasons)
    judged = sum(reason.decision is not None for reason in verdict.reasons)
    lines = [f"<details><summary>All rules: {held} of {judged} hold</summary>", "", "| | rule | finding | observed | limit | where |"]
    lines.append("|---|---|---|---|---|---|")
    for shown, (depth, reason) in enumerate(rows):
        name = "↳ " * depth + _plain(reason.rule)
        cells = (_MARK[reason.decision], name, _finding(reason), _code(reason.observed), _code(reason.limit), _code(reason.where))
        row = f"| {' | '.join(cells)} |"
        if sum(map(len, lines)) + len(row) > _TREE_LIMIT:
            lines.append(f"| | … | {len(rows) - shown} more | | | |")
            break
        lines.append(row)
    return [*lines, "", "</details>"]


def as_text(verdict: Verdict) -> str:
    """The tree, one reason a line, indented by depth."""
    lines = [f"{verdict.decision.value.upper()}  {headline(verdict)}"]
    for depth, reason in _walk(verdict.reasons):
        decision = reason.decision.value if reason.decision else "-"
        figures = f"  [{_one_line(reason.observed)}{' / ' + _one_line(reason.limit) if reason.limit else ''}]" if reason.observed else ""
        where = f"  ({_one_line(reason.where)})" if reason.where else ""
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
    shown = "".join(c if c.isprintable() else " " for c in text[: 4 * _CELL_LIMIT])
    return shown if len(shown) <= _CELL_LIMIT else f"{shown[: _CELL_LIMIT - 1]}…"


def _plain(text: str) -> str:
    """Our own sentences (code spans included), with whatever they quote made harmless: no markup, mention, reference, command, link or
    table cell can begin in it."""
    shown = re.sub(r"([\\*_\[\]<>~&$])", r"\\\1", _one_line(text)).replace("|", "¦")
    shown = _TICKS.sub(lambda m: m[1] or "ˋ" * len(m[0]), shown)
    return _ACTIVE.sub(lambda m: m[0] + _BREAK, shown)


def _code_text(text: str) -> str:
    shown = _one_line(text).replace("`", "ˋ").replace("|", "¦").replace("<!--", f"<!{_BREAK}--")
    return _ACTIVE.sub(lambda m: m[0] + _BREAK, shown)


def _code(text: str) -> str:
    return f"`{_code_text(text)}`" if text.strip() else ""
