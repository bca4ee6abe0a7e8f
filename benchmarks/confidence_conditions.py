"""Stories of a whole service that is nearly full or logs errors, and of requests that stay away; each kind with its look-alikes."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.confidence_world import World, release
from bot.evidence import ConfigChange, LogGroup
from bot.model import SignalKind


def _commit_fills(w: World) -> list[str]:
    """A leak: it takes a while until something is full. Some such commits speak of what they use up."""
    w.kind, w.concerns, w.gauge = SignalKind.SATURATION, w.rng.choice(w.chain), f"{w.word()}.usage"
    guilty = w.commit(w.concerns, text=f"keep({w.gauge.partition('.')[0]})" if w.rng.random() < 0.5 else "new")
    w.deploy(w.rng.choice((60.0, 300.0, 1200.0)) * w.rng.uniform(0.5, 1.4), *w.others(3), guilty, *w.others(2))
    return [guilty.commit.sha]


def _traffic_fills(w: World) -> list[str]:
    w.kind, w.concerns, w.traffic = SignalKind.SATURATION, w.rng.choice(w.chain), w.rng.uniform(1.5, 6)
    _harmless(w)
    return []


def _party_fills(w: World) -> list[str]:
    """Connections wait for a third party that has become slow."""
    w.kind, w.concerns, party = SignalKind.SATURATION, w.chain[-1], w.rng.choice(w.parties)
    w.slow[party] = w.rng.choice((3.0, 6.0, 20.0))
    _harmless(w)
    return [party]


def _commit_logs(w: World) -> list[str]:
    """Some logged texts stand in the commit, some in code that was there before; some come with an exception."""
    w.kind, w.concerns = SignalKind.LOG_ERRORS, w.rng.choice(w.chain)
    text = " ".join(w.word() for _ in range(4))
    line = w.rng.randrange(20, 180)
    guilty = w.commit(w.concerns, "rates", (line, line + 3), f'log.error("{text} %s", order)' if w.rng.random() < 0.6 else "new")
    release(w, guilty)
    if w.rng.random() < 0.5:
        w.raises(w.concerns, w.path(w.concerns, "rates"), line + w.rng.choice((0, 0, 1, 2, 5, 12)), w.rng.randint(5, 100))
    _log(w, f"{text} *")
    return [guilty.commit.sha]


def _input_is_logged(w: World) -> list[str]:
    w.kind, w.concerns = SignalKind.LOG_ERRORS, w.rng.choice(w.chain)
    _log(w, " ".join(w.word() for _ in range(4)))
    _harmless(w)
    if w.rng.random() < 0.5:
        w.raises(w.concerns, w.path(w.concerns, w.rng.choice(("main", "page"))), w.rng.randrange(1, 200), w.rng.randint(5, 100))
    return []


def _party_is_logged(w: World) -> list[str]:
    """A third party fails, which is logged and survived."""
    w.kind, w.concerns, party = SignalKind.LOG_ERRORS, w.chain[-1], w.rng.choice(w.parties)
    w.failing[w.concerns, party] = w.rng.uniform(0.1, 1.0)
    _log(w, f"{party} " + " ".join(w.word() for _ in range(3)))
    _harmless(w)
    return [party]


def _release_takes_traffic(w: World) -> list[str]:
    """At the service itself, or at one that calls it. Some such commits speak of the route."""
    w.kind, w.concerns, w.traffic = SignalKind.THROUGHPUT, w.rng.choice(w.chain), w.rng.uniform(0.0, 0.4)
    w.operation = f"GET /{w.word()}"
    text = f'link("{w.operation[4:]}s")' if w.rng.random() < 0.5 else "new"
    guilty = w.commit(w.rng.choice(w.chain[: w.chain.index(w.concerns) + 1]), text=text)
    release(w, guilty)
    return [guilty.commit.sha]


def _people_stay_away(w: World) -> list[str]:
    w.kind, w.concerns, w.traffic = SignalKind.THROUGHPUT, w.rng.choice(w.chain), w.rng.uniform(0.0, 0.4)
    _harmless(w)
    return []


def _party_takes_traffic(w: World) -> list[str]:
    """Requests fail at a third party, so people give up."""
    w.kind, w.concerns, w.traffic = SignalKind.THROUGHPUT, w.rng.choice(w.chain), w.rng.uniform(0.1, 0.4)
    party = w.rng.choice(w.parties)
    share = w.rng.uniform(0.4, 1.0)
    for edge in w.edges():
        if edge[1] == party or edge[1] in w.chain:
            w.failing[edge] = share
    _harmless(w)
    return [party]


def _switched(w: World) -> list[str]:
    kinds = (SignalKind.SATURATION, SignalKind.LOG_ERRORS, SignalKind.THROUGHPUT)
    w.kind, w.concerns = w.rng.choice(kinds), w.rng.choice(w.chain)
    key = w.word()
    w.settings.append(ConfigChange("c1", w.concerns, key, "10", "50", w.first_bad_s - w.rng.uniform(0, 60)))
    if w.kind is SignalKind.THROUGHPUT:
        w.traffic = w.rng.uniform(0.0, 0.4)
    if w.kind is SignalKind.LOG_ERRORS:
        _log(w, " ".join(w.word() for _ in range(4)))
    _harmless(w)
    return [key]


CONDITIONS: dict[str, Callable[[World], list[str]]] = {
    "a commit fills a service": _commit_fills,
    "traffic fills a service": _traffic_fills,
    "a party fills a service": _party_fills,
    "a commit logs errors": _commit_logs,
    "customers' nonsense is logged": _input_is_logged,
    "a party's failure is logged": _party_is_logged,
    "a release takes the traffic": _release_takes_traffic,
    "people stay away": _people_stay_away,
    "a party takes the traffic": _party_takes_traffic,
    "a flag does": _switched,
}


def _harmless(w: World) -> None:
    """Half of the time something was released in the last half hour, perhaps right before it began."""
    if w.rng.random() < 0.5:
        w.deploy(w.rng.uniform(0, 1700), *w.others(3), w.commit(w.rng.choice(w.chain)))


def _log(w: World, template: str) -> None:
    count = w.rng.randint(10, 200)
    w.logs.append(LogGroup("l1", w.concerns, "error", template, template, count, w.rng.choice((0, 0, 1)), w.first_bad_s))
