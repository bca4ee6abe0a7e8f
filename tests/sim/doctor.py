"""What a simulated diagnosis says: right, wrong, unsure, silent about a remedy, or with one that cannot be built."""

from __future__ import annotations

from bot.diagnosis.case import Case
from bot.diagnosis.localise import localise, signature_of
from bot.diagnosis.remedies import propose_remedy
from bot.model import Diagnosis, Remedy, Suspect
from tests.sim.repository import BAD_LINE, CARRIERS, PAGE, RATES
from tests.sim.world import POLICIES, World

SURE, UNSURE = 0.97, 0.6


def think(world: World, case: Case) -> Diagnosis:
    remedy, signature = _right(world, case)
    if world.hit("a diagnosis names the wrong one", 0.15):
        remedy, signature = _wrong(world), ""
    elif world.hit("a remedy can't be built", 0.08):
        remedy, signature = Remedy("revert", commit=_harmless(world, later_changed=True), summary="revert it"), ""
    if remedy is None or world.hit("a diagnosis has no remedy", 0.06):
        return _diagnosis(None, UNSURE, "")
    return _diagnosis(remedy, UNSURE if world.hit("a diagnosis is unsure", 0.1) else SURE, signature)


def _diagnosis(remedy: Remedy | None, confidence: float, signature: str) -> Diagnosis:
    suspect = Suspect("dependency", "carrier-alder", "carrier-gateway", 0.9)
    return Diagnosis("culprit", "It hangs.", (suspect,), (), (), confidence, "brain", signature, remedy)


def _right(world: World, case: Case) -> tuple[Remedy | None, str]:
    """From the evidence when a carrier hangs; else the guilty commit, found in the history."""
    found = localise(case).candidates
    if found:
        return propose_remedy(case, found[0].suspect, POLICIES), signature_of(case, found[0])
    git = world.hub.git
    for commit in git.log(git.branches["main"]):
        parents = [git.commits[p] for p in commit.parents]
        if BAD_LINE in commit.tree[RATES] and not any(BAD_LINE in p.tree[RATES] for p in parents):
            return Remedy("revert", commit=commit.sha, summary="revert it"), "v1/change-breaks/x~000000000000"
    return None, ""


def _wrong(world: World) -> Remedy:
    """A fix that is built and merged and heals nothing."""
    free = [name for name in CARRIERS if name != world.service.hanging]
    if world.rng.random() < 0.5:
        parameters = (("timeout_s", "0.9"), ("breaker.enabled", "true"), ("fallback", "omit"))
        return Remedy("bound-dependency", "", "carrier-gateway", world.rng.choice(free), parameters, "bound it")
    return Remedy("revert", commit=_harmless(world, later_changed=False), summary="revert it")


def _harmless(world: World, *, later_changed: bool) -> str:
    """A commit of another developer; with `later_changed` one that can't be taken back, because its line has changed again since."""
    count = len(world.hub.git.commits)
    sha = world.hub.push("main", {PAGE: f"TITLE = 'Quotes {count}'\n"}, "Reword", "olga")
    if later_changed:
        world.hub.push("main", {PAGE: f"TITLE = 'Quotes {count} again'\n"}, "Reword again", "olga")
    world.main_moved()
    return sha
