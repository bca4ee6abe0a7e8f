"""The incident's issue: what broke, since when, how bad, whether a reader has to act, what happens next; the evidence folded."""

from __future__ import annotations

from dataclasses import replace

from bot.evidence import Evidence
from bot.model import Signal, SignalKind
from bot.policy.maintenance import active
from bot.policy.schema import Autonomy, Policies
from bot.texts.evidence import differences_table, evidence_fold
from bot.texts.figures import a_minute, chart, compared, date_time, duration, elapsed, limit_percent, lines_a_minute, percent
from bot.texts.links import Links
from bot.texts.safe import code, fold, heading, paragraphs, plain
from bot.texts.words import affected_words, operation, upstream_words

COMMANDS = """\
On a line of its own, under the incident or its pull request:

| comment | what it does |
| --- | --- |
| `/sre hold` | I stop and only watch; `/sre release` lets me go on |
| `/sre approve` | answers what the guardrail asks about the pull request, as it stands now; the check runs again |
| `/sre deny` | I close the pull request and stop |
| `/sre retry` | after I stopped: another round of attempts |
| `/sre correct` | with `cause=NAME` and your words after it: what it really was, for my memory |
| `/sre help` | the whole list |"""
COMMANDS_FOLD = fold("Commands, for people with write permission", COMMANDS)

NO_CAUSE_YET = "What goes with being bad need not cause it: releases that came together, for one, show here together."


def issue_title(signal: Signal) -> str:
    o, now = signal.objective, signal.now
    what = heading(f"{o.operation} in {o.service}", 150)
    if signal.kind is SignalKind.THROUGHPUT:
        return f"{what} gets {'hardly any' if now.requests else 'no'} requests"
    if signal.kind is SignalKind.SATURATION:
        return f"{what} is nearly used up: {percent(now.share or 0.0)}, limit {limit_percent(o.limit or 1.0)}"
    if signal.kind is SignalKind.LOG_ERRORS:
        return f"{heading(o.service, 150)} logs unusually many errors: {now.errors} in {elapsed(now.end_s - now.start_s)}"
    if signal.kind is SignalKind.LATENCY:
        return f"{what} is slow: p99 {duration(now.p99_ms)}, objective {duration(o.p99_ms)}"
    return f"{what} is failing: {percent(now.error_ratio)} errors, objective {limit_percent(o.error_ratio)}"


def issue_body(signal: Signal, evidence: Evidence, policies: Policies, links: Links) -> str:
    """Everything that stays as it was when the incident was noticed; what changes stands in the status comment below it."""
    differences = differences_table(evidence)
    parts = [
        _what(signal),
        _also(signal, evidence, policies),
        "**You need to do nothing unless I ask.** The status comment below says where I am, and I call a person there if I need one.",
        compared(signal, [("before", signal.before), ("now", signal.now)]),
        chart(evidence, signal),
        f"### What is different in the bad requests\n\n{NO_CAUSE_YET}\n\n{differences}" if differences else "",
        "### What happens next",
        _next(policies.autonomy),
        COMMANDS_FOLD,
        evidence_fold(replace(evidence, differences=()), signal.first_bad_s),
        f"<sub>Opened by SRE-Space from the service's own telemetry. {_whose(signal, links)}</sub>",
    ]
    return paragraphs(parts)


def _whose(signal: Signal, links: Links) -> str:
    page = links.file("policies/slo.yaml")
    if signal.kind is SignalKind.SATURATION:
        return f"The limit stands in {page}, below saturation."
    if signal.kind is SignalKind.LOG_ERRORS:
        return f"What is usual was learnt from the service's own logs. Whether that is a signal stands in {page}, below logs."
    if signal.objective.learnt:
        return f"Nobody wrote an objective for this operation: what is normal was learnt from its own past. Write one in {page}."
    return f"The objective stands in {page}."


def _what(signal: Signal) -> str:
    o, now = signal.objective, signal.now
    noticed = f"noticed {signal.detected_s - signal.first_bad_s:.1f} s after the first bad request"
    since = f"since {date_time(signal.first_bad_s)}"
    if signal.kind is SignalKind.THROUGHPUT:
        came = f"{now.requests} in {elapsed(now.end_s - now.start_s)}"
        noticed = f"noticed after {elapsed(signal.detected_s - signal.first_bad_s)}"
        few = "hardly any" if now.requests else "no"
        return f"{operation(signal)} gets **{few} requests** {since}: {came}; usually {a_minute(signal.before)} ({noticed})."
    if signal.kind is SignalKind.SATURATION:
        held = f"noticed after {elapsed(signal.detected_s - signal.first_bad_s)} without a break"
        figures = f"{percent(now.share or 0.0)} of it, at or above {limit_percent(o.limit or 1.0)}"
        return f"{operation(signal)} is **nearly used up** {since}: {figures} ({held})."
    if signal.kind is SignalKind.LOG_ERRORS:
        figures = f"{now.errors} lines in {elapsed(now.end_s - now.start_s)}; before, {lines_a_minute(signal.before)}"
        after = elapsed(signal.detected_s - signal.first_bad_s)
        return f"{code(signal.service)} logs **unusually many errors** {since}: {figures} (noticed after {after})."
    if signal.kind is SignalKind.LATENCY:
        figures = f"{now.slow} of the last {now.requests} requests took longer than {duration(o.p99_ms)}"
        return f"{operation(signal)} is **too slow** {since}: {figures} ({noticed})."
    figures = f"{now.errors} of the last {now.requests} requests failed; at most {limit_percent(o.error_ratio)} may"
    return f"{operation(signal)} is **failing** {since}: {figures} ({noticed})."


def _also(signal: Signal, evidence: Evidence, policies: Policies) -> str:
    """What else is unwell, where the calls lead, and what of it is under maintenance."""
    lines = []
    if evidence.affected:
        lines.append(f"**Also unwell from the same cause**, as the calls between services show: {affected_words(evidence.affected)}.")
    if evidence.upstream and evidence.upstream != (signal.service,):
        lines.append(f"Furthest upstream, where I look first: {upstream_words(evidence.upstream)}.")
    for service in dict.fromkeys((*evidence.upstream, *(a.service for a in evidence.affected))):
        if (window := active(policies.maintenance, service, signal.detected_s)) is not None:
            lines.append(f"{code(service)} is under maintenance until {date_time(window[1])}: {plain(window[0].reason, 200)}.")
    return " ".join(lines)


def _next(a: Autonomy) -> str:
    return "\n".join(
        (
            "1. **Cause.** If I have healed the same kind of cause before, I answer from memory; otherwise I work it out from the"
            " evidence below.",
            "2. **Fix.** I propose it as a pull request, and the guardrail judges that by `policies/`. I merge it myself only if"
            f" all its rules hold and my confidence is above {a.confidence_above:.2f}; otherwise I ask a person, or stop.",
            "3. **Proof.** I measure this same operation again. The issue closes only once it is healthy; a fix that does not"
            " mend what it was for is taken back.",
            f"4. After {a.attempts} attempts without success I stop and call a person.",
        )
    )
