"""Why an answer is what it is, and why it is not surer, in sentences for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.rootcause.model import Suspect, Verdict, View

CLOSE = 0.5  # of the first suspect's score: a second one above it is worth a word
LITTLE = 0.5  # of what a source can compare at most


def reasons(verdict: Verdict, suspects: Sequence[Suspect], views: Sequence[View]) -> tuple[str, ...]:
    return (*_why(verdict, suspects, views), *_why_not_surer(verdict, suspects, views))


def _why(verdict: Verdict, suspects: Sequence[Suspect], views: Sequence[View]) -> Iterator[str]:
    alone = any(view.features.get("alone") for view in views)
    if verdict == "culprit":
        first = suspects[0]
        sources = [view.source for view in views if any(one.service == first.service and not one.symptom_of for one in view.findings)]
        named = " and ".join(dict.fromkeys(sources))
        if alone:
            yield f"the structure of its traces accuses {first.service}; there is no baseline to compare with"
        else:
            yield f"{named} of {first.service} are {first.score:.1f} times as odd as the oddest healthy stretch of the baseline"
    elif verdict == "no-culprit":
        if alone:
            yield "nothing in the structure of these traces is a fault; whether they are slower than usual only a baseline can say"
        elif suspects:
            first = suspects[0]
            yield f"the oddest service, {first.service}, is {first.score:.2f} times as odd as the oddest healthy stretch: as odd as health"
        else:
            yield "nothing differs from the baseline by more than chance"
    elif not any(view.comparable for view in views):
        yield "nothing in the incident can be compared with the baseline"
    else:
        yield "what stands out is more likely to be chance than a cause"
    if not views:
        yield "the incident holds no spans, log lines or metrics"


def _why_not_surer(verdict: Verdict, suspects: Sequence[Suspect], views: Sequence[View]) -> Iterator[str]:
    if verdict == "culprit" and len(suspects) > 1 and suspects[1].score >= CLOSE * suspects[0].score:
        yield f"{suspects[1].service} is nearly as odd ({suspects[1].score:.1f})"
    for view in views:
        if not view.comparable:
            yield f"{view.source} say nothing: {view.why}"
        elif view.features.get("compared", 1.0) < LITTLE:
            yield f"little of the {view.source} could be compared with the baseline"
        elif verdict == "culprit" and view.findings:
            top = max((one for one in view.findings if not one.symptom_of), key=lambda one: one.strength, default=None)
            if top is not None and top.service != suspects[0].service and top.strength >= 1.0:
                yield f"{view.source} point to {top.service} instead"
