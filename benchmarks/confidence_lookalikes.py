"""Stories of slowness whose truth lies close to another one: commits among innocent ones, releases beside somebody else's fault."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.confidence_world import World, release
from bot.evidence import ConfigChange
from bot.model import SignalKind

FILES = ("main", "page", "text")


def _slow_step(w: World) -> list[str]:
    """A commit slows one step of a service whose steps have spans. Their names mostly hold that of the file, not always."""
    service, file = w.rng.choice(w.chain), w.rng.choice(FILES)
    guilty = w.commit(service, file)
    release(w, guilty)
    shares = [w.rng.uniform(0.5, 1.5) for _ in FILES]
    names = {one: f"{w.word()}.{one if w.rng.random() < 0.75 else w.word()}" for one in FILES}
    w.steps[service] = tuple((names[one], share / sum(shares)) for one, share in zip(FILES, shares, strict=True))
    times = w.rng.choice((3.0, 6.0, 15.0))
    w.slow_step[names[file]] = times
    w.slow[service] = 1 + dict(w.steps[service])[names[file]] * (times - 1)
    return [guilty.commit.sha]


def _one_by_one(w: World) -> list[str]:
    """A commit makes a service ask for items one by one. Mostly its lines name whom it asks, not always."""
    at = w.rng.randrange(len(w.chain))
    service = w.chain[at]
    callee = w.chain[at + 1] if at + 1 < len(w.chain) else w.rng.choice(w.parties)
    guilty = w.commit(service, text=f"for item in items: {callee}.ask(item)" if w.rng.random() < 0.7 else "for item in items: ask(item)")
    release(w, guilty)
    w.repeated[service, callee] = w.rng.randint(3, 20)
    return [guilty.commit.sha]


def _innocent_release_beside_a_slow_party(w: World) -> list[str]:
    party = w.rng.choice(w.parties)
    w.slow[party] = w.rng.choice((3.0, 6.0, 20.0))
    w.deploy(w.rng.uniform(0, 90), *w.others(3), w.commit(w.rng.choice(w.chain)))
    return [party]


def _innocent_release_beside_a_noisy_neighbour(w: World) -> list[str]:
    """It may have been the service that is slow that was changed: then nobody can know."""
    service = w.rng.choice(w.chain)
    w.slow[service] = w.rng.choice((3.0, 10.0))
    w.deploy(w.rng.uniform(0, 90), w.commit(w.rng.choice(w.chain)))
    return [service]


def _innocent_retuning(w: World) -> list[str]:
    """A third party fails, some time after its settings were touched for another reason."""
    service, party = w.chain[-1], w.rng.choice(w.parties)
    w.deploy(w.rng.uniform(0, 1700), *w.others(2), w.commit(service, "manifest", text=f"{party}: {{timeout_s: 30}}"))
    w.kind, share = SignalKind.ERRORS, w.rng.uniform(0.1, 1.0)
    for edge in w.edges():
        if edge[1] == party or edge[1] in w.chain:
            w.failing[edge] = share
    w.raises(service, w.path(service, "client"), w.rng.randrange(1, 200), round(100 * share))
    return [party]


def _flag_among_releases(w: World) -> list[str]:
    """A flag slows a service; something harmless was released about then."""
    service, key = w.rng.choice(w.chain), w.word()
    w.settings.append(ConfigChange("c1", service, key, "on", "off", w.first_bad_s - w.rng.uniform(0, 60)))
    w.deploy(w.rng.uniform(70, 600), *w.others(2), w.commit(w.rng.choice(w.chain)))
    w.slow[service] = w.rng.choice((3.0, 10.0))
    return [key]


LOOKALIKES: dict[str, Callable[[World], list[str]]] = {
    "a commit slows a step": _slow_step,
    "a commit asks one by one": _one_by_one,
    "a harmless release beside a slow party": _innocent_release_beside_a_slow_party,
    "a harmless release beside a slow service": _innocent_release_beside_a_noisy_neighbour,
    "harmless settings beside a failing party": _innocent_retuning,
    "a flag among releases": _flag_among_releases,
}
