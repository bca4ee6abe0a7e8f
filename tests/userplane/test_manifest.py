"""Manifests: what is shipped is understood, and what is not understood stops a start with a message that names the place."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from userplane.common.manifest import MANIFESTS_DIR, BreakerPolicy, DependencyPolicy, ManifestError, load_manifest, parse_manifest

GOOD = """
service: shop
dependencies:
  bank:
    timeout_s: 1.5
    breaker: {enabled: true, failures: 3, reset_s: 10}
    fallback: omit
"""


def test_shipped_manifests_wait_long_and_have_no_breaker() -> None:
    as_shipped = DependencyPolicy(30.0, BreakerPolicy(enabled=False, failures=5, reset_s=30.0), "none")
    documents = [yaml.safe_load(path.read_text()) for path in sorted(MANIFESTS_DIR.glob("*.yaml"))]
    manifests = {document["service"]: load_manifest(document["service"]) for document in documents}
    assert len(manifests) == 3
    assert sorted(len(manifest.dependencies) for manifest in manifests.values()) == [1, 1, 3]
    assert all(policy == as_shipped for manifest in manifests.values() for policy in manifest.dependencies.values())


def test_good_manifest_is_read_by_its_service_key_whatever_the_file_is_called(tmp_path: Path) -> None:
    (tmp_path / "any.yaml").write_text(GOOD)
    manifest = load_manifest("shop", tmp_path)
    assert manifest.dependency("bank") == DependencyPolicy(1.5, BreakerPolicy(enabled=True, failures=3, reset_s=10.0), "omit")
    with pytest.raises(ManifestError, match=r"manifest of shop: dependencies\.post is missing"):
        manifest.dependency("post")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("timeout_s: 1.5", "timeout_s: soon", r"x\.yaml: dependencies\.bank\.timeout_s: expected seconds above 0 .* found 'soon'"),
        ("timeout_s: 1.5", "timeout_s: 0", r"dependencies\.bank\.timeout_s: expected seconds above 0"),
        ("timeout_s: 1.5", "timeout_s: true", r"dependencies\.bank\.timeout_s: .* found True"),
        ("timeout_s: 1.5", "timeout_s: .nan", r"dependencies\.bank\.timeout_s: .* found nan"),
        ("timeout_s: 1.5", "timeout: 1.5", r"dependencies\.bank\.timeout: unknown key; known are timeout_s, breaker, fallback"),
        ("enabled: true", "enabled: maybe", r"dependencies\.bank\.breaker\.enabled: expected true or false, found 'maybe'"),
        ("failures: 3", "failures: 2.5", r"dependencies\.bank\.breaker\.failures: expected a whole number"),
        (", reset_s: 10", "", r"dependencies\.bank\.breaker\.reset_s: missing"),
        ("fallback: omit", "fallback: guess", r'dependencies\.bank\.fallback: expected "none" or "omit", found \'guess\''),
        ("{enabled: true, failures: 3, reset_s: 10}", "3", r"dependencies\.bank\.breaker: expected a mapping"),
    ],
)
def test_wrong_manifest_is_refused_with_its_place(before: str, after: str, message: str) -> None:
    assert before in GOOD
    with pytest.raises(ManifestError, match=message):
        parse_manifest(yaml.safe_load(GOOD.replace(before, after)), "x.yaml")


def test_broken_yaml_missing_and_duplicate_manifests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="expected exactly one manifest with `service: shop`, found none"):
        load_manifest("shop", tmp_path)
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(GOOD)
    with pytest.raises(ManifestError, match=r"found .*a\.yaml, .*b\.yaml"):
        load_manifest("shop", tmp_path)
    (tmp_path / "b.yaml").write_text("a: [")
    with pytest.raises(ManifestError, match=r"b\.yaml: not readable as YAML"):
        load_manifest("shop", tmp_path)
