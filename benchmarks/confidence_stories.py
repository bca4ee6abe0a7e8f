"""What happens in made-up incidents: each story changes a world and gives the names of the culprits."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.confidence_world import LINES, World, breaks, release
from bot.evidence import ConfigChange
from bot.model import SignalKind


def _hangs(w: World) -> list[str]:
    party = w.rng.choice(w.parties)
    w.slow[party] = w.rng.choice((3.0, 6.0, 20.0, 60.0))
    if w.rng.random() < 0.4:
        w.deploy(w.rng.uniform(0, 1500), *w.others(3), w.commit(w.rng.choice(w.chain)))
    return [party]


def _fails(w: World) -> list[str]:
    party, share = w.rng.choice(w.parties), w.rng.uniform(0.05, 1.0)
    w.kind = SignalKind.ERRORS
    for edge in w.edges():
        if edge[1] == party or edge[1] in w.chain:
            w.failing[edge] = share
    if w.rng.random() < 0.6:  # the caller raises what it was told
        w.raises(w.chain[-1], w.path(w.chain[-1], "client"), w.rng.randrange(1, LINES), round(100 * share))
    if w.rng.random() < 0.4:
        w.deploy(w.rng.uniform(0, 1500), *w.others(3), w.commit(w.rng.choice(w.chain)))
    return [party]


def _bad_commit(w: World) -> list[str]:
    """It raises in a line that it wrote, or near one."""
    service, line = w.rng.choice(w.chain), w.rng.randrange(20, LINES - 20)
    guilty = w.commit(service, "rates", (line, line + 3))
    release(w, guilty)
    breaks(w, service, w.path(service, "rates"), line + w.rng.choice((0, 0, 1, 2, 5, 12)))
    return [guilty.commit.sha]


def _bad_commit_elsewhere(w: World) -> list[str]:
    """It raises in a file that the commit did not touch."""
    service = w.rng.choice(w.chain)
    guilty = w.commit(service, "rates")
    release(w, guilty)
    breaks(w, service, w.path(service, w.rng.choice(("other", "main"))), w.rng.randrange(1, LINES))
    return [guilty.commit.sha]


def _neighbours(w: World) -> list[str]:
    """Two commits to one file, lines apart; one is guilty."""
    service, line = w.rng.choice(w.chain), w.rng.randrange(40, LINES - 40)
    guilty = w.commit(service, "rates", (line, line + 1))
    other = w.commit(service, "rates", (line + (gap := w.rng.choice((3, 6, 15))), line + gap + 1))
    pair = [guilty, other]
    w.rng.shuffle(pair)
    w.deploy(w.rng.uniform(0, 60), *w.others(2), *pair)
    breaks(w, service, w.path(service, "rates"), line + w.rng.choice((0, 1)))
    return [guilty.commit.sha]


def _slow_commit(w: World) -> list[str]:
    service, times = w.rng.choice(w.chain), w.rng.choice((2.0, 5.0, 15.0))
    guilty = w.commit(service)
    release(w, guilty)
    w.slow[service] = times
    return [guilty.commit.sha]


def _growth(w: World) -> list[str]:
    """More traffic than ever: everything gets slower."""
    w.traffic = w.rng.uniform(2, 6)
    w.slow = {place: w.rng.uniform(1.0, 4.0) for place in (*w.chain, *w.parties)}
    if w.rng.random() < 0.5:
        w.deploy(w.rng.uniform(60, 1700), *w.others(3), w.commit(w.rng.choice(w.chain)))
    return []


def _network(w: World) -> list[str]:
    """All third parties are slow at once: it is none of them."""
    times = w.rng.choice((4.0, 10.0))
    w.slow = {party: times * w.rng.uniform(0.8, 1.2) for party in w.parties}
    return []


def _own_slowness(w: World) -> list[str]:
    """A service is slow by itself, from a noisy neighbour, and was deployed a while ago: the service is to blame, no commit."""
    service = w.rng.choice(w.chain)
    w.slow[service] = w.rng.choice((3.0, 10.0))
    w.deploy(w.rng.uniform(200, 1700), *w.others(3), w.commit(w.rng.choice(w.chain)))
    return [service]


def _bad_input(w: World) -> list[str]:
    """New exceptions, from what a customer sends; what was deployed has nothing to do with it."""
    service = w.rng.choice(w.chain)
    w.deploy(w.rng.uniform(60, 1700), *w.others(3), w.commit(service, "page"))
    breaks(w, service, w.path(service, "main"), w.rng.randrange(1, LINES))
    return []


def _switch(w: World) -> list[str]:
    service, key = w.rng.choice(w.chain), w.word()
    w.settings.append(ConfigChange("c1", service, key, "on", "off", w.first_bad_s - w.rng.uniform(0, 60)))
    if w.rng.random() < 0.5:
        w.deploy(w.rng.uniform(300, 1700), *w.others(3), w.commit(w.rng.choice(w.chain)))
    if w.rng.random() < 0.5:
        w.slow[service] = 6.0
    else:
        breaks(w, service, w.path(service, "main"), w.rng.randrange(1, LINES))
    return [key]


def _manifest(w: World) -> list[str]:
    """Somebody set too short a time-out in the manifest of the last service."""
    service, party = w.chain[-1], w.rng.choice(w.parties)
    guilty = w.commit(service, "manifest", text=f"{party}: {{timeout_s: 0.01}}")
    release(w, guilty)
    w.kind = SignalKind.ERRORS
    share = w.rng.uniform(0.3, 1.0)
    for edge in w.edges():
        if edge[1] == party or edge[1] in w.chain:
            w.failing[edge] = share
    w.raises(service, w.path(service, "client"), w.rng.randrange(1, LINES), round(100 * share))
    return [guilty.commit.sha]


STORIES: dict[str, Callable[[World], list[str]]] = {
    "a third party hangs": _hangs,
    "a third party fails": _fails,
    "a commit breaks": _bad_commit,
    "a commit breaks elsewhere": _bad_commit_elsewhere,
    "two commits side by side": _neighbours,
    "a commit slows": _slow_commit,
    "traffic grows": _growth,
    "the network is slow": _network,
    "a service is slow by itself": _own_slowness,
    "customers send nonsense": _bad_input,
    "a flag is switched": _switch,
    "a manifest is changed": _manifest,
}
