"""Made-up incidents of marketplace-like systems, each with the truth beside it: to calibrate confidence, and to check it on other seeds.

A system is a front, one to three services in a row behind it, and third parties behind the last one. Names, figures, numbers of
calls, other people's commits and the noise in all of it come from the seed. Nothing here knows how Brain reasons.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from benchmarks.confidence_traces import exemplars
from bot.diagnosis.case import Case, Change
from bot.evidence import ConfigChange, DeployMark, EdgeStat, ErrorGroup, Evidence
from bot.forge import ChangedFile, Commit
from bot.journal import IncidentRecord
from bot.model import Measurement, Objective, Signal, SignalKind
from bot.policy.schema import Policies, ServiceSpec

START_S = 1_700_000_000.0
LINES = 200  # of every file


@dataclass(frozen=True)
class Labelled:
    """`culprits`: names of suspects that are right; none: nobody that Brain could name is to blame."""

    family: str
    seed: int
    case: Case
    policies: Policies
    culprits: frozenset[str]


@dataclass
class World:
    """One system shortly after something happened; the story of a family changes it before it is turned into a case."""

    rng: Random
    chain: list[str]  # services, the front first
    parties: list[str]  # called by the last service
    first_bad_s: float
    kind: SignalKind = SignalKind.LATENCY
    slow: dict[str, float] = field(default_factory=dict)  # service or third party → times as long as usual, by itself
    failing: dict[tuple[str, str], float] = field(default_factory=dict)  # edge → share of calls
    errors: list[ErrorGroup] = field(default_factory=list)
    deploys: list[DeployMark] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    settings: list[ConfigChange] = field(default_factory=list)
    traffic: float = 1.0
    repeated: dict[tuple[str, str], int] = field(default_factory=dict)  # edge → calls of each request, one after the other
    steps: dict[str, tuple[tuple[str, float], ...]] = field(default_factory=dict)  # service → names and shares of parts that have spans

    def word(self) -> str:
        return "".join(self.rng.choice("bdfglmnprstv") + self.rng.choice("aeiou") for _ in range(3))

    def edges(self) -> list[tuple[str, str]]:
        last = self.chain[-1]
        return [*zip(self.chain, self.chain[1:], strict=False), *((last, party) for party in self.parties)]

    def path(self, service: str, name: str = "main") -> str:
        return f"src/{service}/{name}.py"

    def deploy(self, ago_s: float, *changes: Change) -> None:
        """All services are deployed together, so many seconds before the first bad request, with these commits."""
        commit = changes[-1].commit.sha
        marks = [
            DeployMark(f"d{len(self.deploys) + i}", service, commit, f"{self.rng.getrandbits(160):040x}", self.first_bad_s - ago_s)
            for i, service in enumerate(self.chain, 1)
        ]
        self.deploys += marks
        self.changes += [replace(change, deploys=tuple(mark.id for mark in marks)) for change in changes]

    def commit(self, service: str, name: str = "main", lines: tuple[int, int] | None = None, text: str = "new") -> Change:
        """A commit that rewrites some lines of one file of a service."""
        somewhere = self.rng.randrange(1, LINES)
        first, last = lines or (somewhere, somewhere + self.rng.randrange(6))
        count, path = last - first + 1, self.path(service, name)
        patch = f"@@ -{first},{count} +{first},{count} @@\n" + "\n".join(["-old"] * count + [f"+{text}"] * count)
        made = Commit(f"{self.rng.getrandbits(160):040x}", "Change", "dev", "Dev", START_S - 3600, ("0" * 40,))
        touched = ChangedFile(path, "modified", count, count, patch=patch)
        return Change(replace(made, files=(touched,)), (), (service,), (service,) if name == "manifest" else ())

    def others(self, most: int = 4) -> list[Change]:
        """What other people changed meanwhile; it breaks nothing."""
        return [
            self.commit(self.rng.choice(self.chain), self.rng.choice(("main", "page", "text"))) for _ in range(self.rng.randint(0, most))
        ]

    def raises(self, service: str, path: str, line: int, count: int, before: int = 0, late_s: float = 0.0) -> None:
        """A new kind of exception, `late_s` after the first bad request, in requests that this service answers."""
        frames = (f"{self.path(service, 'api')}:serve:20", f"{path}:work:{line}", "/usr/lib/python3/x.py:get:3")
        commit = self.deploys[-1].commit if self.deploys else ""
        name, first_s = f"x{len(self.errors) + 1}", self.first_bad_s + late_s
        self.errors.append(ErrorGroup(name, service, "GET /", self.word(), "", frames, count, before, first_s, commit))


def generate(seed: int, shipped: Policies) -> Labelled:
    """The incident of a seed; families take turns. Its policies are the shipped ones, with the services of its system."""
    family = list(FAMILIES)[seed % len(FAMILIES)]
    rng = Random(seed)
    world = World(rng, [], [], START_S + rng.uniform(0, 1e6))
    world.chain = [world.word() for _ in range(rng.randint(2, 4))]
    world.parties = [f"{world.word()}-{i}" for i in range(rng.randint(2, 4))]
    culprits = FAMILIES[family](world)
    return Labelled(family, seed, _case(world), _policies(world, shipped), frozenset(culprits))


# --- the stories: each gives the names of the culprits ------------------------------------------------------------------------------


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
    _release(w, guilty)
    _break(w, service, w.path(service, "rates"), line + w.rng.choice((0, 0, 1, 2, 5, 12)))
    return [guilty.commit.sha]


def _bad_commit_elsewhere(w: World) -> list[str]:
    """It raises in a file that the commit did not touch."""
    service = w.rng.choice(w.chain)
    guilty = w.commit(service, "rates")
    _release(w, guilty)
    _break(w, service, w.path(service, w.rng.choice(("other", "main"))), w.rng.randrange(1, LINES))
    return [guilty.commit.sha]


def _neighbours(w: World) -> list[str]:
    """Two commits to one file, lines apart; one is guilty."""
    service, line = w.rng.choice(w.chain), w.rng.randrange(40, LINES - 40)
    guilty = w.commit(service, "rates", (line, line + 1))
    other = w.commit(service, "rates", (line + (gap := w.rng.choice((3, 6, 15))), line + gap + 1))
    pair = [guilty, other]
    w.rng.shuffle(pair)
    w.deploy(w.rng.uniform(0, 60), *w.others(2), *pair)
    _break(w, service, w.path(service, "rates"), line + w.rng.choice((0, 1)))
    return [guilty.commit.sha]


def _slow_commit(w: World) -> list[str]:
    service, times = w.rng.choice(w.chain), w.rng.choice((2.0, 5.0, 15.0))
    guilty = w.commit(service)
    _release(w, guilty)
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
    _break(w, service, w.path(service, "main"), w.rng.randrange(1, LINES))
    return []


def _switch(w: World) -> list[str]:
    service, key = w.rng.choice(w.chain), w.word()
    w.settings.append(ConfigChange("c1", service, key, "on", "off", w.first_bad_s - w.rng.uniform(0, 60)))
    if w.rng.random() < 0.5:
        w.deploy(w.rng.uniform(300, 1700), *w.others(3), w.commit(w.rng.choice(w.chain)))
    if w.rng.random() < 0.5:
        w.slow[service] = 6.0
    else:
        _break(w, service, w.path(service, "main"), w.rng.randrange(1, LINES))
    return [key]


def _manifest(w: World) -> list[str]:
    """Somebody set too short a time-out in the manifest of the last service."""
    service, party = w.chain[-1], w.rng.choice(w.parties)
    guilty = w.commit(service, "manifest", text=f"{party}: {{timeout_s: 0.01}}")
    _release(w, guilty)
    w.kind = SignalKind.ERRORS
    share = w.rng.uniform(0.3, 1.0)
    for edge in w.edges():
        if edge[1] == party or edge[1] in w.chain:
            w.failing[edge] = share
    w.raises(service, w.path(service, "client"), w.rng.randrange(1, LINES), round(100 * share))
    return [guilty.commit.sha]


FAMILIES: dict[str, Callable[[World], list[str]]] = {
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


def _release(w: World, guilty: Change) -> None:
    """The guilty commit goes out with others, right before it gets bad; sometimes more is released after it."""
    w.deploy(w.rng.uniform(0, 90), *w.others(3), guilty, *w.others(2))


def _break(w: World, service: str, path: str, line: int) -> None:
    """A service raises; everybody before it hands the failure on."""
    w.kind, share = SignalKind.ERRORS, w.rng.uniform(0.1, 1.0)
    for caller, callee in zip(w.chain, w.chain[1:], strict=False):
        if w.chain.index(callee) <= w.chain.index(service):
            w.failing[caller, callee] = share
    w.raises(service, path, line, max(5, round(100 * share)), late_s=w.rng.uniform(0, 2))


def _takes_ms(w: World, alone_ms: dict[str, float], now: bool) -> dict[str, float]:
    """How long an answer of each place takes: its own time and that of all that it calls, one after the other."""
    times = w.slow if now else {}
    took = {party: alone_ms[party] * times.get(party, 1.0) for party in w.parties}
    below = sum(took.values())
    for service in reversed(w.chain):
        took[service] = below = below + alone_ms[service] * times.get(service, 1.0)
    return took


# --- from a world to a case ---------------------------------------------------------------------------------------------------------


def _case(w: World) -> Case:
    rng, now_s = w.rng, w.first_bad_s + w.rng.uniform(8, 60)
    rate = rng.choice((1.0, 4.0, 20.0))  # requests a second
    before, now = round(600 * rate), max(15, round((now_s - w.first_bad_s) * rate * w.traffic * rng.uniform(0.8, 1.2)))
    noise = rng.choice((0.02, 0.1, 0.25))  # how steady this system is
    alone_ms = {place: rng.uniform(5, 300) for place in (*w.chain, *w.parties)}
    usual_ms, now_ms = _takes_ms(w, alone_ms, now=False), _takes_ms(w, alone_ms, now=True)
    stats = []
    for i, edge in enumerate(w.edges(), 1):
        was, took = usual_ms[edge[1]], now_ms[edge[1]] * rng.uniform(1 - noise, 1 + noise)
        failed = sum(rng.random() < w.failing.get(edge, 0.004) for _ in range(now))
        calm, ill = (before, was / 2, was, rng.randint(0, 2)), (now, took / 2, took, failed)
        stats.append(EdgeStat(f"e{i}", edge[0], "GET /", edge[1], *calm, *ill))
    front_ms, slower_ms = usual_ms[w.chain[0]], now_ms[w.chain[0]] - usual_ms[w.chain[0]]
    share = max([*w.failing.values(), 0.3 if w.errors else 0.0])
    errors = round(share * now) if w.kind is SignalKind.ERRORS else 0
    objective = Objective(w.chain[0], "GET /", 1500.0, 0.02, 10.0, 15, 5)
    measured_before = Measurement(w.first_bad_s - 600, w.first_bad_s, before, 1, 0, front_ms / 2, front_ms)
    measured_now = Measurement(w.first_bad_s, now_s, now, errors, now // 2, front_ms, front_ms + slower_ms)
    signal = Signal(w.kind, objective, measured_before, measured_now, w.first_bad_s, now_s)
    evidence = Evidence(now_s, exemplars(w, alone_ms, noise), tuple(stats), tuple(w.errors), tuple(w.deploys), changes=tuple(w.settings))
    bounded = [f"  {name}:\n    timeout_s: 30\n    breaker:\n      enabled: false\n" for name in [*w.chain[1:], *w.parties]]
    manifest = "dependencies:\n" + "".join(bounded)
    manifests = tuple((name, manifest) for name in w.chain)
    return Case(IncidentRecord("0" * 12, signal, evidence), evidence, tuple(w.changes), manifests, "f" * 40)


def _policies(w: World, shipped: Policies) -> Policies:
    specs = tuple(ServiceSpec(name, (f"src/{name}/**",), w.path(name, "manifest")) for name in w.chain)
    return replace(shipped, services=specs)
