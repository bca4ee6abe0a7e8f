"""One sentence for each accusation from metrics, with its figures."""

from __future__ import annotations

from bot.rootcause.metrics.accusations import Accusation

MAX_OTHERS = 3  # services that a sentence lists


def sentence(one: Accusation) -> str:
    """What is different, in figures of the metric's own unit."""
    odd = one.rests_on
    figures = f"{_short(odd.now)} instead of {_short(odd.usual)}"
    size = f"{max(odd.rise, odd.fall):.1f} times the worst healthy change"
    where = f" on {odd.key.instance}" if odd.key.instance else ""
    series = " ".join(part for part in odd.key.label if part)
    match one.fault:
        case "slow":
            text = f"requests take {figures}{where} ({size})"
        case "errors":
            text = f"{figures} failed requests per interval{where} ({size})"
        case "network":
            waits = f"{_short(odd.now)} times as long as the work, usually {_short(odd.usual)} times"
            text = f"between it and {_listed(one.others)} callers wait {waits} ({size})"
        case "resource":
            text = f"processor use {figures}{where} ({series}; {size})"
        case "traffic":
            text = f"calls to {_listed(one.others)} fell to {figures} per interval although it is called as before ({size})"
        case _:
            text = f"{series} is {figures}{where}, more than its requests explain ({size})"
    return f"{text}; {one.symptom_of} explains most of it" if one.symptom_of else text


def _listed(services: tuple[str, ...]) -> str:
    shown = ", ".join(services[:MAX_OTHERS])
    return f"{shown} and {len(services) - MAX_OTHERS} more" if len(services) > MAX_OTHERS else shown


def _short(value: float) -> str:
    return f"{value:.3g}"
