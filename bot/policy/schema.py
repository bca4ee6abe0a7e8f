"""The policies as nouns: every limit, threshold and weight that people may change, each in one place.

Read from `policies/*.yaml` by `bot/policy/load.py`, which refuses unknown keys, wrong types and missing files.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.model import Objective
from bot.policy.maintenance import Window


@dataclass(frozen=True)
class Traffic:
    """policies/slo.yaml, `traffic`: when fewer requests than usual are a signal."""

    enabled: bool = True
    min_history_s: float = 3_600.0  # an operation younger than this has no usual traffic
    min_silence_s: float = 30.0  # a shorter lack of requests is no signal, however busy the operation usually is


@dataclass(frozen=True)
class Learn:
    """policies/slo.yaml, `learn`: operations that nobody wrote an objective for."""

    enabled: bool = True
    min_history_s: float = 3_600.0  # nothing is said of an operation before it has been seen so long …
    min_requests: int = 500  # … and has answered so many requests
    agree: int = 2  # so many detectors have to agree
    operations: int = 200  # at most so many are learnt at a time


@dataclass(frozen=True)
class Saturation:
    """policies/slo.yaml, `saturation`: gauges that say how much of something is in use."""

    enabled: bool = True
    limit: float = 0.9  # from this share on something counts as nearly used up
    hold_s: float = 60.0  # it is a signal when it has been so for so long without a break
    services: tuple[tuple[str, float], ...] = ()  # other limits, by service

    def limit_of(self, service: str) -> float:
        return next((limit for name, limit in self.services if name == service), self.limit)


@dataclass(frozen=True)
class Logs:
    """policies/slo.yaml, `logs`: services that log unusually many errors."""

    enabled: bool = True
    hold_s: float = 30.0  # a burst is a signal when it has gone on for so long


@dataclass(frozen=True)
class Detection:
    """policies/slo.yaml beside its objectives: how sure Scout has to be. Sections and keys that the file leaves out are as here."""

    false_alarms_per_year: float = 1.0  # of one objective's sequential detectors, while nothing is wrong
    again_within_s: float = 600.0  # broken again so soon after a recovery: the same story, told as flapping
    deploy_within_s: float = 600.0  # a deploy at most so long before the first bad request is told with the signal
    traffic: Traffic = Traffic()
    learn: Learn = Learn()
    saturation: Saturation = Saturation()
    logs: Logs = Logs()


@dataclass(frozen=True)
class ServiceSpec:
    """policies/services.yaml: all that the bot knows of a service."""

    name: str  # its service.name in telemetry
    paths: tuple[str, ...]  # globs (** crosses folders) of the files that it is built from
    manifest: str = ""  # the YAML file that bounds its dependencies; "" when it has none
    dependency_key: str = "dependencies.{name}"  # where in the manifest a dependency's settings stand
    environments: tuple[str, ...] = ()  # of GitHub deployments that bring it into service


@dataclass(frozen=True)
class BoundDependency:
    """policies/known.yaml, remedy `bound-dependency`: how a dependency that hangs is bounded."""

    times_normal_p99: float  # time-out = this × the edge's normal p99 …
    at_most_share_of_objective: float  # … but at most this share of the operation's p99 objective …
    at_least_s: float  # … and at least this
    timeout_field: str  # "timeout_s", below the dependency's key
    settings: tuple[
        tuple[str, str], ...
    ]  # further fields to set: ("breaker.enabled", "true"), ("fallback", "omit"); values are YAML scalars


@dataclass(frozen=True)
class KnownFix:
    """policies/known.yaml, one of `fixes`: a kind of cause and the kind of remedy that people have approved for it."""

    signature: str  # bot/signature.py
    remedy: str  # one of the kinds that the Fixer can write
    healed: int  # counts for CAG as so many incidents that it healed
    note: str = ""  # for people


@dataclass(frozen=True)
class Autonomy:
    """policies/autonomy.yaml: how far the bot goes by itself, and how long it waits."""

    confidence_above: float  # an autonomous fix needs more than this
    attempts: int
    runs_per_attempt: int  # diagnosis runs of one attempt (a crash, a dead model)
    run_timeout_s: float  # a diagnosis run that takes longer counts as dead
    judge_timeout_s: float  # no guardrail run after this: a person is called
    deploy_timeout_s: float  # merged but not serving after this: error
    verify_min_requests: int
    verify_min_s: float
    verify_max_s: float  # no answer after this: inconclusive
    open_pulls: int  # caps over all incidents
    pulls_per_hour: int
    recurrence_s: float  # healthy for this long without any attempt: the incident is closed as gone by itself
    learn_after_s: float  # closed this long without a post-mortem: the curator is started once more


@dataclass(frozen=True)
class ModelBudget:
    """policies/autonomy.yaml, `model`: what one diagnosis may spend on a model. Checked before each request. 0 forbids asking at all."""

    calls: int = 8  # requests, those that failed included
    tokens: int = 120_000  # in and out, over all requests
    usd: float = 0.5
    seconds: float = 120.0  # from the first request on, waiting included
    usd_per_million_tokens_in: float = 2.5  # what the model costs, by its list price
    usd_per_million_tokens_out: float = 10.0


@dataclass(frozen=True)
class ConfidenceModel:
    """policies/confidence.yaml: a logistic model over named features for each kind of answer. Weights are log-odds."""

    bias: float
    weights: tuple[tuple[str, float], ...]  # in the order of the file


@dataclass(frozen=True)
class Rule:
    """One rule of policies/guardrail.yaml, as written. `check` is one of bot/policy/checks.py's table."""

    id: str
    check: str
    otherwise: str  # deny | ask: what the rule says when its check does not hold
    values: tuple[tuple[str, object], ...]  # the check's own parameters
    why: str
    line: int  # in the file, for the verdict's `where`


@dataclass(frozen=True)
class Policies:
    objectives: tuple[Objective, ...]
    services: tuple[ServiceSpec, ...]
    bound_dependency: BoundDependency
    autonomy: Autonomy
    confidence: tuple[tuple[str, ConfidenceModel], ...]  # "dependency", "change", "timing", "setting", "remembered"
    rules: tuple[Rule, ...]
    sha: str  # sha256 of all files' text: what a verdict was judged by
    maintenance: tuple[Window, ...] = ()  # policies/slo.yaml
    detection: Detection = Detection()
    model: ModelBudget = ModelBudget()  # policies/autonomy.yaml
    known_fixes: tuple[KnownFix, ...] = ()  # policies/known.yaml
    offer_after: int = 3  # policies/known.yaml: healed so often in a row, a fix is offered for `fixes`

    def objective(self, service: str, operation: str) -> Objective | None:
        return next((o for o in self.objectives if (o.service, o.operation) == (service, operation)), None)

    def service(self, name: str) -> ServiceSpec | None:
        return next((s for s in self.services if s.name == name), None)

    def deployed_in(self, environment: str) -> tuple[str, ...]:
        """The services that a GitHub deployment to this environment brings into service."""
        return tuple(s.name for s in self.services if environment in s.environments)

    def confidence_model(self, kind: str) -> ConfidenceModel:
        return dict(self.confidence)[kind]
