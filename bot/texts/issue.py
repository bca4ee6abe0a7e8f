"""The incident's issue: what broke, since when, how bad, what happens next, what one can say; the evidence folded."""

from __future__ import annotations

from bot.model import Evidence, Signal, SignalKind, SpanView, TraceView
from bot.policy.schema import Autonomy, Policies
from bot.texts.figures import chart, clock_time, compared, date_time, duration, percent
from bot.texts.links import Links
from bot.texts.safe import code, defuse, fence, fold

COMMANDS = """\
| comment | what it does |
| --- | --- |
| `/sre hold` | stops everything for this incident; `/sre unhold` goes on |
| `/sre approve` | on the pull request: lets the guardrail judge it again with your approval |
| `/sre deny` | on the pull request: closes it, and I stop |
| `/sre retry` | after I stopped: one more round |
| `/sre help` | the same list, with who may say what |"""


def issue_title(signal: Signal) -> str:
    o, now = signal.objective, signal.now
    if signal.kind is SignalKind.LATENCY:
        return f"{o.operation} in {o.service} is slow: p99 {duration(now.p99_ms)}, objective {duration(o.p99_ms)}"
    return f"{o.operation} in {o.service} is failing: {percent(now.error_ratio)} errors, objective {percent(o.error_ratio)}"


def issue_body(signal: Signal, evidence: Evidence, policies: Policies, links: Links) -> str:
    """Everything that stays as it was when the incident was noticed; what changes stands in the status comment below it."""
    o = signal.objective
    parts = [
        "## What broke",
        _sentence(signal),
        compared(o, [("before", signal.before), ("now", signal.now)]),
        chart(evidence, signal.kind, o),
        "## What happens next",
        _next(policies.autonomy),
        fold("Commands for people with write permission", COMMANDS),
        fold(f"Evidence: {_count(evidence)}", evidence_text(evidence, links)),
        f"<sub>Opened by SRE-Space from the service's own telemetry; objective from {links.file('policies/slo.yaml')}.</sub>",
    ]
    return "\n\n".join(part for part in parts if part)


def _sentence(signal: Signal) -> str:
    o, now = signal.objective, signal.now
    what = f"**{code(o.operation)} in {code(o.service)}**"
    since = f"since **{date_time(signal.first_bad_s)}** (first bad request; noticed {signal.detected_s - signal.first_bad_s:.1f} s later)"
    if signal.kind is SignalKind.LATENCY:
        return f"{what} answers too slowly {since}: {now.slow} of the last {now.requests} requests took longer than {duration(o.p99_ms)}."
    return f"{what} fails {since}: {now.errors} of the last {now.requests} requests ended in an error."


def _next(a: Autonomy) -> str:
    return "\n".join(
        (
            "1. I look for the cause in the evidence below. If I have healed the same cause before, I answer from memory; otherwise I think it through.",
            f"2. I propose a fix as a pull request. The guardrail judges it by `policies/`; above {a.confidence_above:.2f} confidence I may merge it myself,"
            " below that I ask a person.",
            "3. I measure this same operation again. This issue closes only when it is healthy with the fix in place; a fix that does not heal is taken back.",
            f"4. After {a.attempts} attempts without success I stop and call a person.",
        )
    )


def _count(e: Evidence) -> str:
    counts = ((len(e.traces), "trace"), (len(e.edges), "call path"), (len(e.errors), "kind of error"), (len(e.deploys), "deploy"))
    plural = {"kind of error": "kinds of error"}
    return ", ".join(f"{n} {word if n == 1 else plural.get(word, word + 's')}" for n, word in counts)


def evidence_text(e: Evidence, links: Links) -> str:
    """The evidence as a person reads it. Ids (t1, e2, x1, d1) are what the claims of a diagnosis cite."""
    parts = []
    if e.deploys:
        lines = [
            f"{d.id}  {clock_time(d.first_seen_s)}  {d.service}  {d.previous_commit[:7] or '(first)'} -> {d.commit[:7]}" for d in e.deploys
        ]
        parts.append("**Deploys that telemetry saw**\n\n" + fence("\n".join(lines)))
    if e.edges:
        lines = [f"{'id':4}{'caller -> callee':44}{'p99 before':>12}{'p99 now':>12}{'errors now':>12}"]
        for x in e.edges:
            names = f"{x.caller} -> {x.peer}"
            errors = f"{x.now_errors}/{x.now_requests}"
            lines.append(f"{x.id:4}{names[:43]:44}{duration(x.before_p99_ms):>12}{duration(x.now_p99_ms):>12}{errors:>12}")
        parts.append("**Calls between services**\n\n" + fence("\n".join(lines)))
    for group in e.errors:
        head = f"{group.id}  {group.type} in {group.service} ({group.operation}), {group.count} times, before {group.before_count}; from {group.commit[:7]}"
        parts.append(
            f"**Error {group.id}**\n\n" + fence("\n".join([head, f"    {group.message}", *(f"    at {frame}" for frame in group.frames)]))
        )
    parts += [f"**Trace {t.id}** ({'bad' if t.bad else 'normal'}, {clock_time(t.start_s)})\n\n" + fence(_tree(t)) for t in e.traces]
    return "\n\n".join(parts) or "Nothing beyond the figures above."


def _tree(trace: TraceView) -> str:
    children: dict[str | None, list[SpanView]] = {}
    known = {span.id for span in trace.spans}
    for span in trace.spans:
        children.setdefault(span.parent if span.parent in known else None, []).append(span)
    lines: list[str] = []

    def walk(parent: str | None, depth: int) -> None:
        for span in sorted(children.get(parent, ()), key=lambda s: s.offset_ms):
            took = duration(span.duration_ms) if span.finished else f"> {duration(span.duration_ms)}, not finished"
            flags = " ".join(x for x in (str(span.status_code or ""), span.error_type if span.error or span.error_type else "") if x)
            to = f" -> {span.peer}" if span.kind == "client" and span.peer else ""
            lines.append(f"{'  ' * depth}{span.service}: {span.name}{to}  {took}{'  ' + flags if flags else ''}")
            if span.id != parent:
                walk(span.id, depth + 1)

    walk(None, 0)
    return defuse("\n".join(lines))
