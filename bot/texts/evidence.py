"""The evidence as a person reads it: code blocks, folded. Its ids (t1, s2, e3, x4, d5 …) are what the claims of a diagnosis cite."""

from __future__ import annotations

from bot.evidence import ConfigChange, DeployMark, EdgeStat, ErrorGroup, Evidence, Histogram, LogGroup, SpanView, TraceView
from bot.texts.figures import count, date_time, duration, percent, same_day, table
from bot.texts.safe import code, cut, fence, fold, one_line, paragraphs

EVIDENCE_LIMIT = 20_000
_NAME, _MESSAGE, _DEPTH = 60, 300, 20
_DIFFERENCES = 10
_BAR = 12  # characters of a bar that stands for all requests


def evidence_fold(e: Evidence, day_s: float, title: str = "Evidence") -> str:
    """`day_s`: a moment whose date the text has named; times of other days carry theirs."""
    return fold(f"{title}: {_count(e)}", evidence_text(e, day_s))


def evidence_text(e: Evidence, day_s: float) -> str:
    parts = []
    if differences := differences_table(e):
        parts.append(f"**What is different in the bad requests**\n\n{differences}")
    parts += [f"**How long requests took** ({_id(h.id)})\n\n" + fence(_histogram(h)) for h in e.histograms]
    if e.changes:
        parts.append("**Settings that changed**\n\n" + fence("\n".join(_change(c, day_s) for c in e.changes)))
    if e.deploys:
        parts.append("**Deploys that telemetry saw**\n\n" + fence("\n".join(_deploy(d, day_s) for d in e.deploys)))
    if e.edges:
        head = f"{'id':4} {'caller -> callee':44}{'p99 before':>12}{'p99 now':>12}{'errors now':>12}"
        parts.append("**Calls between services**\n\n" + fence("\n".join([head, *map(_edge, e.edges)])))
    parts += [f"**Error {_id(group.id)}**\n\n" + fence(_error(group)) for group in e.errors]
    if e.logs:
        parts.append("**Log lines that came more often than before**\n\n" + fence("\n".join(_log(group, day_s) for group in e.logs)))
    for trace in e.traces:
        kind = "bad" if trace.bad else "normal"
        parts.append(f"**Trace {_id(trace.id)}** ({kind}, {same_day(trace.start_s, day_s)})\n\n" + fence(_tree(trace)))
    return paragraphs(parts, EVIDENCE_LIMIT) or "Nothing beyond the figures above."


def _count(e: Evidence) -> str:
    kinds = count(len(e.errors), "kind of error", "kinds of error")
    parts = [count(len(e.traces), "trace"), count(len(e.edges), "call path"), kinds, count(len(e.deploys), "deploy")]
    parts += [count(len(e.changes), "changed setting")] if e.changes else []
    parts += [count(len(e.logs), "kind of log line", "kinds of log line")] if e.logs else []
    return ", ".join(parts)


def differences_table(e: Evidence) -> str:
    """How often bad requests have what good ones do not; "" when nothing tells them apart."""
    rows = [
        [
            code(_id(d.id)),
            f"{code(d.key, 60)} = {code(d.value, 60)} in {code(d.service, 60)}",
            f"{percent(_share(d.bad_count, d.bad_total))} of {d.bad_total}",
            f"{percent(_share(d.good_count, d.good_total))} of {d.good_total}",
        ]
        for d in e.differences[:_DIFFERENCES]
    ]
    return table(["", "requests with", "bad ones", "good ones"], rows) if rows else ""


def _share(part: int, whole: int) -> float:
    return part / whole if whole > 0 else 0.0


def _histogram(h: Histogram) -> str:
    """A line a bucket: its share of the requests before and now, as a figure and as a bar."""
    names = [f"up to {duration(edge)}" for edge in h.upper_ms] + [f"above {duration(h.upper_ms[-1])}" if h.upper_ms else "all"]
    lines = [f"{'':16}{f'before ({sum(h.before)})':<22}now ({sum(h.now)})"]
    for name, before, now in zip(names, h.before, h.now, strict=False):
        if before or now:
            bars = [
                f"{percent(share):>8} {'█' * round(share * _BAR):<{_BAR}} "
                for share in (_share(before, sum(h.before)), _share(now, sum(h.now)))
            ]
            lines.append(f"{name:<14}{''.join(bars)}".rstrip())
    return "\n".join(lines)


def _change(c: ConfigChange, day_s: float) -> str:
    change = f"{_name(c.key)}  {_name(c.previous_value)} -> {_name(c.value)}"
    return f"{_id(c.id):4} {same_day(c.first_seen_s, day_s)}  {_name(c.service)}: {change}"


def _log(group: LogGroup, day_s: float) -> str:
    traces = f", in {', '.join(map(_id, group.traces))}" if group.traces else ""
    head = f"{_id(group.id):4} {_name(group.severity, 12)} in {_name(group.service)}, since {same_day(group.first_seen_s, day_s)}{traces}"
    times = f"     {count(group.count, 'time')}, at most {group.before_count} in as long before"
    return "\n".join([head, times, f"     {_name(group.template, _MESSAGE)}", f"     e.g. {_name(group.example, _MESSAGE)}"])


def _id(given: str) -> str:
    """Ids are ours (a letter and a number); whatever else came in their place is not shown."""
    return given if given.isascii() and given.isalnum() and len(given) <= 8 else "?"


def _name(text: str, limit: int = _NAME) -> str:
    return cut(one_line(text), limit)


def _deploy(d: DeployMark, day_s: float) -> str:
    change = (
        f"{_name(d.previous_commit)[:7]} -> {_name(d.commit)[:7]}" if d.previous_commit else f"{_name(d.commit)[:7]} (the first one seen)"
    )
    return f"{_id(d.id):4} {same_day(d.first_seen_s, day_s)}  {_name(d.service)}  {change}"


def _edge(x: EdgeStat) -> str:
    names = cut(f"{_name(x.caller)} -> {_name(x.peer)}", 43)
    errors = f"{x.now_errors} of {x.now_requests}"
    return f"{_id(x.id):4} {names:44}{duration(x.before_p99_ms):>12}{duration(x.now_p99_ms):>12}{errors:>12}"


def _error(group: ErrorGroup) -> str:
    where = f"{_name(group.type)} in {_name(group.service)} ({_name(group.operation)}), commit {_name(group.commit)[:7] or 'unknown'}"
    times = f"{count(group.count, 'time')} since {date_time(group.first_seen_s)}, before that {count(group.before_count, 'time')}"
    frames = [f"    at {_name(frame, 160)}" for frame in group.frames[-12:]]
    return "\n".join([where, times, f"    {_name(group.message, _MESSAGE)}", *frames])


def _tree(trace: TraceView) -> str:
    children: dict[str | None, list[SpanView]] = {}
    known = {span.id for span in trace.spans}
    for span in trace.spans:
        children.setdefault(span.parent if span.parent in known else None, []).append(span)
    lines: list[str] = []
    seen: set[int] = set()

    def walk(parent: str | None, depth: int) -> None:
        for span in sorted(children.get(parent, ()), key=lambda s: s.offset_ms):
            if id(span) not in seen:
                seen.add(id(span))
                lines.append(f"{_id(span.id):4} {'  ' * min(depth, _DEPTH)}{_span(span)}")
                walk(span.id, depth + 1)

    walk(None, 0)
    return "\n".join(lines)


def _span(span: SpanView) -> str:
    took = duration(span.duration_ms) if span.finished else f"> {duration(span.duration_ms)}, not finished"
    to = f" -> {_name(span.peer)}" if span.kind == "client" and span.peer else ""
    status = str(span.status_code) if span.status_code else ""
    return "  ".join(filter(None, (f"{_name(span.service)}: {_name(span.name)}{to}", took, status, _name(span.error_type))))
