"""What the log lines of an incident say that those of the baseline do not: broken successions, new or spreading sorts of failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bot.rootcause.comparing.compared import Compared, odd_succession, work
from bot.rootcause.comparing.failing import failing, visits_by_service
from bot.rootcause.comparing.failures import touched, untouched_runs
from bot.rootcause.comparing.grammar import Change, Kind, changes
from bot.rootcause.comparing.log_texts import is_error
from bot.rootcause.comparing.oddities import Oddity
from bot.rootcause.comparing.runs import log_runs
from bot.rootcause.comparing.sides import Side
from bot.rootcause.logs.loose_lines import loose_changes
from bot.rootcause.model import Fault

# The evidence (−log10 p) that counts as strength 1. Runs that end early and errors hardly ever differ between healthy windows; which
# branch is taken depends on what users do, so those changes need far more. See docs/diagnosis-traces.md.
FULL_EVIDENCE: Final[Mapping[Kind, float]] = {"cut": 1.5, "error": 1.5, "repeat": 3.0, "skip": 3.0, "new": 4.0}


def compare_logs(incident: Side, baseline: Side, known: frozenset[str] = frozenset()) -> Compared:
    """What follows what in lines that name their trace, how often something is said in those that name none.

    `known`: sorts of failure that are no news although the baseline has none of them.
    """
    texts, old, new = incident.texts, baseline.forest, incident.forest
    old_failed, new_failed = baseline.failures, incident.failures
    known |= {failure.sort for failure in old_failed}
    all_old, all_new = log_runs(baseline.window.logs, old, texts), log_runs(incident.window.logs, new, texts)
    old_runs = untouched_runs(all_old, touched(old_failed, old))
    new_runs = untouched_runs(all_new, touched(new_failed, new), known)
    errors = frozenset(texts.step(line) for line in incident.window.logs if is_error(line))
    found = [_broken(change) for change in changes(old_runs, new_runs, errors)]
    old_told, new_told = ([one for one in failed if one.source == "logs"] for failed in (old_failed, new_failed))
    found += failing(old_told, new_told, visits_by_service(all_old), visits_by_service(all_new), known, texts)
    loose, common = loose_changes(baseline.window.logs, incident.window.logs, texts)
    found += loose
    passed = {(run.service, run.operation, step) for run in old_runs for step in run.steps}
    shared = len({(run.service, run.operation, step) for run in new_runs for step in run.steps} & passed)
    return Compared(tuple(found), new, shared + common, work(all_new), known)


def _broken(change: Change) -> Oddity:
    fault: Fault = "errors" if change.kind == "error" else "exception" if change.kind in ("cut", "skip") else "unknown"
    return odd_succession(change, fault, FULL_EVIDENCE[change.kind], "nothing more is logged")
