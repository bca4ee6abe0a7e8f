"""Reads `policies/*.yaml` into `Policies`, strictly: what is unknown, missing, doubled or out of range is refused by file, line and key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import get_args

from bot.errors import Refused
from bot.model import Objective, RemedyKind
from bot.policy.checks import CHECKS, CORE
from bot.policy.maintenance import Window, read_windows
from bot.policy.paths import matches
from bot.policy.schema import (
    Autonomy,
    BoundDependency,
    ConfidenceModel,
    Detection,
    KnownFix,
    Learn,
    Logs,
    ModelBudget,
    Policies,
    Rule,
    Saturation,
    ServiceSpec,
    Traffic,
)
from bot.policy.strict_yaml import Entry, parse
from bot.signature import VERSION as SIGNATURE_VERSION
from bot.signature import parse as parse_signature

FOLDER = "policies"
NAMES = ("slo", "services", "known", "autonomy", "confidence", "guardrail")
CONFIDENCE_KINDS = ("dependency", "change", "timing", "setting", "remembered")
_FILE_LIMIT = 256 * 1024
_OBJECTIVE = ("service", "operation", "p99_ms", "error_ratio", "window_s", "min_requests", "min_bad")
_OBJECTIVE_OPTIONAL = ("quantile", "availability")
_KNOWN_OPTIONAL = ("offer_after", "fixes")
_SLO_SECTIONS = ("sequential", "again_within_s", "deploy_within_s", "traffic", "learn", "saturation", "logs", "maintenance")


def file_of(name: str) -> str:
    """The path of a policy file in the repository: `policies/slo.yaml` for `slo`."""
    return f"{FOLDER}/{name}.yaml"


def load_policies(read: Callable[[str], str | None]) -> Policies:
    """Policies from texts. `read` gets a path in the repository (`policies/slo.yaml`) and gives its text, None when there is none.

    Raises Refused `policies/slo.yaml:LINE: key: what is wrong` for the first thing that is wrong.
    """
    texts = {}
    for name in NAMES:
        text = read(file_of(name))
        if text is None:
            raise Refused(f"{file_of(name)}:1: the file is missing; all of {', '.join(NAMES)} are needed")
        if len(text) > _FILE_LIMIT:
            raise Refused(f"{file_of(name)}:1: larger than {_FILE_LIMIT // 1024} KiB")
        texts[name] = text
    tops = {name: parse(file_of(name), text) for name, text in texts.items()}
    services = _services(tops["services"])
    return Policies(
        objectives=_objectives(tops["slo"], {s.name for s in services}),
        detection=_detection(tops["slo"], {s.name for s in services}),
        services=services,
        bound_dependency=_bound_dependency(tops["known"]),
        known_fixes=_known_fixes(tops["known"]),
        offer_after=_offer_after(tops["known"]),
        autonomy=_autonomy(tops["autonomy"]),
        confidence=_confidence(tops["confidence"]),
        rules=_rules(tops["guardrail"]),
        sha=_sha(texts),
        maintenance=_maintenance(tops["slo"], {s.name for s in services}),
        model=_model(tops["autonomy"]),
    )


def load_directory(path: Path) -> Policies:
    """Policies from the files of a folder (`policies/` of a checkout). Raises Refused like `load_policies`, also when one is not UTF-8."""

    def read(name: str) -> str | None:
        file = path / Path(name).name
        try:
            return file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as problem:
            raise Refused(f"{name}:1: can't be read: {problem}") from problem

    return load_policies(read)


def _sha(texts: Mapping[str, str]) -> str:
    """Over names and texts with their lengths, so that no text can pass for another's."""
    digest = sha256()
    for name in sorted(texts):
        raw = texts[name].encode()
        digest.update(f"{file_of(name)}\0{len(raw)}\0".encode() + raw)
    return digest.hexdigest()


def _objectives(top: Entry, services: set[str]) -> tuple[Objective, ...]:
    found: dict[tuple[str, str], Objective] = {}
    for item in top.mapping(["objectives"], _SLO_SECTIONS)["objectives"].items(at_least=1):
        keys = item.mapping(_OBJECTIVE, _OBJECTIVE_OPTIONAL)
        service, operation = keys["service"].text(), keys["operation"].text()
        if service not in services:
            raise keys["service"].refused(f"{service!r} is not in {file_of('services')}")
        if (service, operation) in found:
            raise item.refused(f"a second objective for {operation!r} of {service!r}")
        found[service, operation] = Objective(
            service=service,
            operation=operation,
            p99_ms=keys["p99_ms"].number(0, exclusive=True),
            error_ratio=keys["error_ratio"].number(0, 1),
            window_s=keys["window_s"].number(1, 86_400),
            min_requests=keys["min_requests"].whole(1),
            min_bad=keys["min_bad"].whole(1),
            quantile=keys["quantile"].number(0.5, 1, exclusive=True) if "quantile" in keys else Objective.quantile,
            availability=keys["availability"].number(0, 1, exclusive=True) if "availability" in keys else None,
        )
    return tuple(found.values())


def _maintenance(top: Entry, services: set[str]) -> tuple[Window, ...]:
    keys = top.mapping(["objectives"], _SLO_SECTIONS)
    return read_windows(keys["maintenance"], services) if "maintenance" in keys else ()


def _detection(top: Entry, services: set[str]) -> Detection:
    keys = top.mapping(["objectives"], _SLO_SECTIONS)
    default = Detection()
    within = {
        name: keys[name].number(0, 86_400) if name in keys else getattr(default, name) for name in ("again_within_s", "deploy_within_s")
    }
    years = keys["sequential"].mapping(["false_alarms_per_year"])["false_alarms_per_year"] if "sequential" in keys else None
    return Detection(
        false_alarms_per_year=years.number(0, 1000, exclusive=True) if years else default.false_alarms_per_year,
        again_within_s=within["again_within_s"],
        deploy_within_s=within["deploy_within_s"],
        traffic=_traffic(keys["traffic"]) if "traffic" in keys else default.traffic,
        learn=_learn(keys["learn"]) if "learn" in keys else default.learn,
        saturation=_saturation(keys["saturation"], services) if "saturation" in keys else default.saturation,
        logs=_logs(keys["logs"]) if "logs" in keys else default.logs,
    )


def _traffic(entry: Entry) -> Traffic:
    keys, default = entry.mapping([], [f.name for f in fields(Traffic)]), Traffic()
    return Traffic(
        enabled=keys["enabled"].flag() if "enabled" in keys else default.enabled,
        min_history_s=keys["min_history_s"].number(600, 30 * 86_400) if "min_history_s" in keys else default.min_history_s,
        min_silence_s=keys["min_silence_s"].number(1, 86_400) if "min_silence_s" in keys else default.min_silence_s,
    )


def _learn(entry: Entry) -> Learn:
    keys, default = entry.mapping([], [f.name for f in fields(Learn)]), Learn()
    return Learn(
        enabled=keys["enabled"].flag() if "enabled" in keys else default.enabled,
        min_history_s=keys["min_history_s"].number(600, 30 * 86_400) if "min_history_s" in keys else default.min_history_s,
        min_requests=keys["min_requests"].whole(100) if "min_requests" in keys else default.min_requests,
        agree=keys["agree"].whole(1, 3) if "agree" in keys else default.agree,
        operations=keys["operations"].whole(1, 2_000) if "operations" in keys else default.operations,
    )


def _saturation(entry: Entry, services: set[str]) -> Saturation:
    keys, default = entry.mapping([], [f.name for f in fields(Saturation)]), Saturation()
    own = keys["services"].entries() if "services" in keys else ()
    for name, limit in own:
        if name not in services:
            raise limit.refused(f"{name!r} is not in {file_of('services')}")
    return Saturation(
        enabled=keys["enabled"].flag() if "enabled" in keys else default.enabled,
        limit=keys["limit"].number(0, 1, exclusive=True) if "limit" in keys else default.limit,
        hold_s=keys["hold_s"].number(10, 3_600) if "hold_s" in keys else default.hold_s,
        services=tuple((name, limit.number(0, 1_000, exclusive=True)) for name, limit in own),
    )


def _logs(entry: Entry) -> Logs:
    keys, default = entry.mapping([], [f.name for f in fields(Logs)]), Logs()
    return Logs(
        enabled=keys["enabled"].flag() if "enabled" in keys else default.enabled,
        hold_s=keys["hold_s"].number(10, 600) if "hold_s" in keys else default.hold_s,
    )


def _services(top: Entry) -> tuple[ServiceSpec, ...]:
    found: dict[str, ServiceSpec] = {}
    for item in top.mapping(["services"])["services"].items(at_least=1):
        keys = item.mapping(["name", "paths"], ["manifest", "dependency_key", "environments"])
        name = keys["name"].text()
        if name in found:
            raise keys["name"].refused(f"a second service {name!r}")
        spec = ServiceSpec(name, keys["paths"].texts())
        if "manifest" in keys:
            manifest = keys["manifest"].text()
            if not any(matches(manifest, pattern) for pattern in spec.paths):
                raise keys["manifest"].refused(f"{manifest!r} is under none of the service's paths")
            spec = replace(spec, manifest=manifest)
        if "dependency_key" in keys:
            key = keys["dependency_key"].text()
            if key.count("{name}") != 1:
                raise keys["dependency_key"].refused("expected {name} exactly once, where the dependency's name goes")
            spec = replace(spec, dependency_key=key)
        if "environments" in keys:
            spec = replace(spec, environments=keys["environments"].texts())
        found[name] = spec
    return tuple(found.values())


def _bound_dependency(top: Entry) -> BoundDependency:
    keys = top.mapping(["bound-dependency"], _KNOWN_OPTIONAL)["bound-dependency"].mapping([f.name for f in fields(BoundDependency)])
    return BoundDependency(
        times_normal_p99=keys["times_normal_p99"].number(1, 1000),
        at_most_share_of_objective=keys["at_most_share_of_objective"].number(0, 1, exclusive=True),
        at_least_s=keys["at_least_s"].number(0, 3600, exclusive=True),
        timeout_field=keys["timeout_field"].text(),
        settings=tuple((name, entry.scalar()) for name, entry in keys["settings"].entries()),
    )


def _known_fixes(top: Entry) -> tuple[KnownFix, ...]:
    keys = top.mapping(["bound-dependency"], _KNOWN_OPTIONAL)
    found: dict[tuple[str, str], KnownFix] = {}
    for item in keys["fixes"].items() if "fixes" in keys else ():
        given = item.mapping(["signature", "remedy", "healed"], ["note"])
        signature, remedy = given["signature"].text(), given["remedy"].one_of(get_args(RemedyKind))
        if parse_signature(signature) is None:
            raise given["signature"].refused(f"{signature[:80]!r} is no signature of {SIGNATURE_VERSION}: copy it from a post-mortem")
        if (signature, remedy) in found:
            raise item.refused("this fix stands here twice")
        note = given["note"].text() if "note" in given else ""
        found[signature, remedy] = KnownFix(signature, remedy, given["healed"].whole(1, 1000), note)
    return tuple(found.values())


def _offer_after(top: Entry) -> int:
    keys = top.mapping(["bound-dependency"], _KNOWN_OPTIONAL)
    return keys["offer_after"].whole(1, 1000) if "offer_after" in keys else Policies.offer_after


_WHOLE = MappingProxyType(
    {"attempts": 1, "runs_per_attempt": 1, "verify_min_requests": 1, "open_pulls": 1, "pulls_per_hour": 1}
)  # at least


def _autonomy(top: Entry) -> Autonomy:
    keys = _autonomy_keys(top)
    whole = {name: keys[name].whole(low, 10_000) for name, low in _WHOLE.items()}
    ratio = {"confidence_above": keys["confidence_above"].number(0, 1)}
    seconds = {name: entry.number(0, 7 * 86_400) for name, entry in keys.items() if name.endswith("_s")}
    if seconds["verify_max_s"] < seconds["verify_min_s"]:
        raise keys["verify_max_s"].refused("less than verify_min_s")
    return Autonomy(**whole, **ratio, **seconds)  # type: ignore[arg-type]  # the three tables name every field, see the test


def _autonomy_keys(top: Entry) -> Mapping[str, Entry]:
    return top.mapping([f.name for f in fields(Autonomy)], ["model"])


def _model(top: Entry) -> ModelBudget:
    keys, default = _autonomy_keys(top), ModelBudget()
    if "model" not in keys:
        return default
    given = keys["model"].mapping([], [f.name for f in fields(ModelBudget)])
    whole = {name: given[name].whole(0, 10_000_000) for name in ("calls", "tokens") if name in given}
    numbers = {name: entry.number(0, 1_000_000) for name, entry in given.items() if name not in whole}
    return replace(default, **whole, **numbers)  # type: ignore[arg-type]  # the two tables name every field


def _confidence(top: Entry) -> tuple[tuple[str, ConfidenceModel], ...]:
    found = []
    for kind, entry in top.mapping(["confidence"])["confidence"].mapping(CONFIDENCE_KINDS).items():
        keys = entry.mapping(["bias", "weights"])
        weights = tuple((name, weight.number(-50, 50)) for name, weight in keys["weights"].entries())
        if not weights:
            raise keys["weights"].refused("expected at least one feature")
        found.append((kind, ConfidenceModel(keys["bias"].number(-50, 50), weights)))
    return tuple(found)


def _rules(top: Entry) -> tuple[Rule, ...]:
    found: dict[str, Rule] = {}
    rules = top.mapping(["rules"])["rules"]
    for item in rules.items(at_least=1):
        rule = _rule(item)
        if rule.id in found:
            raise item.refused(f"a second rule {rule.id!r} (first on line {found[rule.id].line})")
        found[rule.id] = rule
    for check in CORE:
        if not any(rule.check == check for rule in found.values()):
            raise rules.refused(
                f"no rule has the check {check!r}, without which the others mean nothing; put it back with `otherwise: deny`"
            )
    return tuple(found.values())


def _rule(item: Entry) -> Rule:
    given = dict(item.entries())
    if "check" not in given:
        raise item.refused("missing key 'check'")
    check = given["check"].one_of(CHECKS)
    parameters = CHECKS[check].parameters
    keys = item.mapping(["id", "check", "otherwise", "why", *parameters])
    otherwise = keys["otherwise"].one_of(["deny", "ask"])
    if check in CORE and otherwise != "deny":
        raise keys["otherwise"].refused(f"the check {check!r} can only deny")
    values: list[tuple[str, object]] = []
    for name, kind in parameters.items():
        values.append((name, keys[name].texts() if kind == "texts" else keys[name].whole(0)))
    return Rule(keys["id"].text(), check, otherwise, tuple(values), keys["why"].text(), item.line)
