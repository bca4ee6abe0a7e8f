"""Policies are read strictly: whatever is wrong is refused with file, line and key."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from bot.errors import Refused
from bot.policy.load import NAMES, file_of, load_directory
from bot.policy.schema import Autonomy
from tests.policy.texts import SHIPPED, TEXTS, load, shipped


def test_the_shipped_policies_load_and_every_rule_knows_its_line() -> None:
    policies = shipped()
    lines = (SHIPPED / "guardrail.yaml").read_text(encoding="utf-8").splitlines()
    assert policies.rules
    for rule in policies.rules:
        assert lines[rule.line - 1].strip() == f"- id: {rule.id}"


def test_small_policies_become_what_they_say() -> None:
    policies = load()
    assert policies.objective("shop", "POST /orders") is not None
    service = policies.service("shop")
    assert service and service.manifest == "deploy/shop.yaml" and service.dependency_key == "dependencies.{name}"
    assert policies.bound_dependency.settings == (("breaker.enabled", "true"), ("fallback", "omit"))
    assert policies.confidence_model("remembered").weights == (("b", 1.0), ("a", -1.0))
    assert policies.autonomy.confidence_above == 0.90 and policies.autonomy.attempts == 3
    for item in fields(Autonomy):
        assert type(getattr(policies.autonomy, item.name)) is {"int": int, "float": float}[str(item.type)]


def test_limits_of_gauges_and_logs_and_environments_are_read() -> None:
    more = "saturation: {limit: 0.8, services: {shop: 0.95}}\nlogs: {enabled: false}\n"
    policies = load(slo=TEXTS["slo"] + more, services=TEXTS["services"] + "    environments: [production]\n")
    saturation = policies.detection.saturation
    assert (saturation.limit_of("shop"), saturation.limit_of("other"), saturation.hold_s) == (0.95, 0.8, 60.0)
    assert not policies.detection.logs.enabled
    assert policies.deployed_in("production") == ("shop",)
    with pytest.raises(Refused, match=r"slo\.yaml:\d+: saturation\.services\.shopp: 'shopp' is not in policies/services\.yaml"):
        load(slo=TEXTS["slo"] + "saturation: {services: {shopp: 0.95}}\n")
    with pytest.raises(Refused, match=r"saturation\.limit: expected a number between 0 and 1"):
        load(slo=TEXTS["slo"] + "saturation: {limit: 0}\n")


WRONG = [
    ("slo", "p99_ms: 1500", "p99_ms: fast", "policies/slo.yaml:4: objectives[0].p99_ms: expected a number, got text"),
    ("slo", "p99_ms: 1500", "p99_ms: 0", "policies/slo.yaml:4: objectives[0].p99_ms: expected a number above 0"),
    ("slo", "p99_ms: 1500", "p99_ms: .nan", "policies/slo.yaml:4: objectives[0].p99_ms: expected a plain decimal number"),
    ("slo", "p99_ms: 1500", "p99_ms: 1:30", "policies/slo.yaml:4: objectives[0].p99_ms: expected a plain decimal number"),
    (
        "slo",
        "error_ratio: 0.02",
        "error_ratio: 2",
        "policies/slo.yaml:5: objectives[0].error_ratio: expected a number between 0 and 1, got 2",
    ),
    ("slo", "min_bad: 5", "min_bad: 5.5", "policies/slo.yaml:8: objectives[0].min_bad: expected a whole number, got a number"),
    ("slo", "min_bad: 5", "min_bad: true", "policies/slo.yaml:8: objectives[0].min_bad: expected a whole number, got true or false"),
    ("slo", "min_bad: 5", "min_bad: 5\n    p95_ms: 1", "policies/slo.yaml:9: objectives[0].p95_ms: unknown key"),
    ("slo", "    min_bad: 5\n", "", "policies/slo.yaml:2: objectives[0]: missing key 'min_bad'"),
    (
        "slo",
        "min_bad: 5",
        "min_bad: 5\n    min_bad: 6",
        "policies/slo.yaml:9: objectives[0].min_bad: this key stands twice (first on line 8)",
    ),
    ("slo", "service: shop", "service: shopp", "policies/slo.yaml:2: objectives[0].service: 'shopp' is not in policies/services.yaml"),
    ("slo", "objectives:", "objectives: [", "policies/slo.yaml:"),
    ("services", "name: shop", "name: [shop]", "policies/services.yaml:2: services[0].name: expected text, got a list"),
    ("services", "name: shop", "name: ''", "policies/services.yaml:2: services[0].name: expected text, got an empty one"),
    (
        "services",
        "manifest: deploy/shop.yaml",
        "manifest: deploy/x.yaml",
        "policies/services.yaml:4: services[0].manifest: 'deploy/x.yaml' is",
    ),
    (
        "known",
        "at_most_share_of_objective: 0.6",
        "at_most_share_of_objective: 1.0",
        "policies/known.yaml:3: bound-dependency.at_most_share",
    ),
    (
        "known",
        "    fallback: omit",
        "    fallback: [omit]",
        "policies/known.yaml:8: bound-dependency.settings.fallback: expected a single value",
    ),
    (
        "autonomy",
        "confidence_above: 0.90",
        "confidence_above: 90",
        "policies/autonomy.yaml:2: confidence_above: expected a number between 0 and 1",
    ),
    ("autonomy", "attempts: 3", "attempts: 0", "policies/autonomy.yaml:3: attempts: expected a number between 1 and 10000, got 0"),
    ("autonomy", "verify_min_s: 5", "verify_min_s: 5000", "verify_max_s: less than verify_min_s"),
    ("confidence", "weights: {a: 2.0}", "weights: {}", "policies/confidence.yaml:2: confidence.dependency.weights: expected at least one"),
    ("confidence", "a: 2.0", "a: high", "policies/confidence.yaml:2: confidence.dependency.weights.a: expected a number, got text"),
    ("guardrail", "check: size-within", "check: size-without", "rules[13].check: expected one of"),
    ("guardrail", "files: 10", "files: many", "rules[13].files: expected a whole number, got text"),
    ("guardrail", "lines: 400", "rows: 400", "rules[13].rows: unknown key"),
    ("guardrail", "- id: base", "- id: own-work", "policies/guardrail.yaml:18: rules[1]: a second rule 'own-work' (first on line 13)"),
    ("guardrail", "kinds: [revert, bound-dependency]", "kinds: []", "rules[8].kinds: expected at least 1 entry"),
]


@pytest.mark.parametrize(("name", "old", "new", "message"), WRONG, ids=lambda value: value[:40] if isinstance(value, str) else None)
def test_what_is_wrong_is_refused_by_file_line_and_key(name: str, old: str, new: str, message: str) -> None:
    assert old in TEXTS[name]
    with pytest.raises(Refused) as refusal:
        load(**{name: TEXTS[name].replace(old, new, 1)})
    assert message in str(refusal.value)
    assert str(refusal.value).startswith(f"policies/{name}.yaml:")


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_or_empty_file_is_refused_by_its_name(name: str) -> None:
    for text in (
        None,
        "",
        "# nothing\n",
        "just text\n",
        "- a list\n",
        "a: 1\n---\nb: 2\n",
        "a: &x [*x]\n",
        "[" * 5000,
        "a: \0",
        "a: \ud800",
    ):
        with pytest.raises(Refused) as refusal:
            load(**{name: text})
        assert str(refusal.value).startswith(f"{file_of(name)}:")


@pytest.mark.parametrize(
    "check",
    ["made-by-the-bot", "base-is-default-branch", "incident-is-recorded", "not-on-hold", "nobody-denied", "diff-matches-remedy",
     "undoes-own-merge", "paths-of-a-service"],
)  # fmt: skip
def test_a_rule_without_which_the_gate_means_nothing_can_be_neither_removed_nor_softened(check: str) -> None:
    text = TEXTS["guardrail"]
    start = text.index(f"    check: {check}\n")
    start, end = text.rindex("  - id:", 0, start), text.index("    why:", start)
    end = text.index("\n", end) + 1
    with pytest.raises(Refused, match=f"no rule has the check '{check}'"):
        load(guardrail=text[:start] + text[end:])
    with pytest.raises(Refused, match=f"otherwise: the check '{check}' can only deny"):
        load(guardrail=text[:start] + text[start:end].replace("otherwise: deny", "otherwise: ask") + text[end:])


def test_the_sha_names_the_whole_text_of_all_files() -> None:
    first = load().sha
    assert load().sha == first
    for name in NAMES:
        assert load(**{name: TEXTS[name] + "# a comment\n"}).sha != first


def test_a_folder_is_read_like_texts_and_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / f"{name}.yaml").write_text(TEXTS[name], encoding="utf-8")
    assert load_directory(tmp_path) == load()
    (tmp_path / "slo.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(Refused, match=r"policies/slo\.yaml:1: can't be read"):
        load_directory(tmp_path)
    (tmp_path / "slo.yaml").unlink()
    with pytest.raises(Refused, match=r"policies/slo\.yaml:1: the file is missing"):
        load_directory(tmp_path)
