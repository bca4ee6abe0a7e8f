"""What metrics say about the root cause: which service changed more than it ever does in health, and is not explained by whom it calls.

Five looks, each in "worst healthy stretches", so that they can be compared:

- `slow`, `errors`: waiting time and failed requests, by amount handed down to the callee that explains it (handed_down.py);
- `network`: the caller waits longer than the callee works (between_services.py);
- `resource`: processor time, in total and for each request;
- `traffic`: calls that a caller no longer makes (between_services.py);
- `unknown`: any other series that moves in total and for each request, at half weight.

Then the same analysis on stretches of the baseline, each left out of its own reference: strength 1.0 is what one in thirty of them shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from bot.rootcause.metrics.accusations import Accusation, Stretch, accusations, topical
from bot.rootcause.metrics.healthy import quantile
from bot.rootcause.metrics.measures import Measures, measure
from bot.rootcause.metrics.odd_measures import Baseline
from bot.rootcause.metrics.sentences import sentence
from bot.rootcause.model import Finding, Symptom, View, Window

MIN_INTERVALS = 8  # of the baseline
MAX_STRETCHES = 30  # of the baseline that are analysed like the incident: enough for a ninth decile
RARE = 0.97  # healthy stretches weaker than strength 1.0
LEAST_REFERENCE = 1.0  # a baseline in which nothing ever moves makes no trifle a fault
MAX_FINDINGS = 40
LEAST_STRENGTH = 0.05  # weaker findings are left out
ENOUGH_SERIES = 30  # compared series with which the amount of evidence counts as full
LOUD = 20.0  # strengths are no louder than this as features


def metrics_view(incident: Window, baseline: Window, symptom: Symptom) -> View:
    """Findings of all services, strongest first; the view is not comparable when too few series are in both windows."""
    usual = measure(baseline)
    now = measure(incident, usual.choice)
    health = Baseline(usual, len(now.intervals))
    values = health.derived(now)
    compared = sum(health.knows(key) for key in values if not key.instance)
    if len(usual.intervals) < MIN_INTERVALS or not compared:
        return View("metrics", (), False, _why(usual, now))
    edges = now.edges | usual.edges
    found = topical(accusations(health, Stretch(values, now.intervals, edges), symptom.service), symptom.signal)
    maxima = _healthy_maxima(health, usual, symptom)
    reference = max(LEAST_REFERENCE, _rare(maxima))
    findings = _findings(found, reference, usual.choice.step_ns)
    return View("metrics", findings, True, "", _features(findings, compared, len(maxima)))


def _healthy_maxima(health: Baseline, usual: Measures, symptom: Symptom) -> list[float]:
    """The strongest accusation in each of several stretches of the baseline."""
    values, window = health.derived(usual), health.window
    last = len(usual.intervals) - window
    step = max(window, math.ceil((last + 1) / MAX_STRETCHES))
    found = []
    for start in range(0, last + 1, step):
        stretch = Stretch(values, usual.intervals[start : start + window], usual.edges, start)
        found.append(max((one.strength for one in topical(accusations(health, stretch, symptom.service), symptom.signal)), default=0.0))
    return found


def _rare(maxima: Sequence[float]) -> float:
    """What RARE of healthy stretches stay below: the Gumbel distribution of the maxima's logarithms through their median and ninth decile.

    Extreme values of one stretch (a fault inside the baseline) move neither. Gumbel, *Statistics of Extremes* (1958).
    """
    if not maxima:
        return 0.0
    tiny = 0.05  # keeps the logarithm of a silent stretch finite
    middle, high = (math.log(quantile(maxima, share) + tiny) for share in (0.5, 0.9))
    spread = (high - middle) / (_reduced(0.9) - _reduced(0.5))
    return math.exp(middle + spread * (_reduced(RARE) - _reduced(0.5)))


def _reduced(share: float) -> float:
    return -math.log(-math.log(share))


def _findings(found: Sequence[Accusation], reference: float, step_ns: int) -> tuple[Finding, ...]:
    shown = []
    for one in found:
        strength = one.strength / reference
        if strength < LEAST_STRENGTH and not one.symptom_of:
            continue
        odd = one.rests_on
        evidence = tuple(part for part in (odd.key.label.metric, odd.key.label.statistic) if part)
        since = odd.peak * step_ns
        shown.append(
            Finding(one.service, one.fault, "metrics", strength, sentence(one), odd.key.instance, "", since, evidence, one.symptom_of)
        )
    return tuple(shown[:MAX_FINDINGS])


def _features(findings: Sequence[Finding], compared: int, stretches: int) -> dict[str, float]:
    best: dict[str, float] = {}
    for one in findings:
        if not one.symptom_of:
            best[one.service] = max(best.get(one.service, 0.0), one.strength)
    top, second = [*sorted(best.values(), reverse=True), 0.0, 0.0][:2]
    return {
        "compared": min(1.0, compared / ENOUGH_SERIES),
        "stretches": min(1.0, stretches / MAX_STRETCHES),
        "top": min(top, LOUD),
        "margin": 1.0 - second / top if top else 0.0,
    }


def _why(usual: Measures, now: Measures) -> str:
    if not usual.values or not now.values:
        return f"{'baseline' if not usual.values else 'incident'} holds no metrics of services"
    if len(usual.intervals) < MIN_INTERVALS:
        return f"baseline metrics cover {len(usual.intervals)} intervals, {MIN_INTERVALS} are needed"
    return "no series of the incident has enough points in the baseline"
