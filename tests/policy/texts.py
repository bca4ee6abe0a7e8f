"""Policy texts for tests: small ones of made-up services, and the shipped ones."""

from __future__ import annotations

from pathlib import Path

from bot.policy.load import NAMES, file_of, load_directory, load_policies
from bot.policy.schema import Policies

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "policies"

TEXTS = {
    "slo": "objectives:\n  - service: shop\n    operation: POST /orders\n    p99_ms: 1500\n    error_ratio: 0.02\n    window_s: 10\n"
    "    min_requests: 15\n    min_bad: 5\n",
    "services": "services:\n  - name: shop\n    paths: [app/shop/**, deploy/shop.yaml]\n    manifest: deploy/shop.yaml\n",
    "known": "bound-dependency:\n  times_normal_p99: 4\n  at_most_share_of_objective: 0.6\n  at_least_s: 0.1\n  timeout_field: timeout_s\n"
    "  settings:\n    breaker.enabled: true\n    fallback: omit\n",
    "autonomy": (SHIPPED / "autonomy.yaml").read_text(encoding="utf-8"),
    "confidence": "confidence:\n  dependency: {bias: -1, weights: {a: 2.0}}\n  change: {bias: -1, weights: {a: 2}}\n"
    "  timing: {bias: -1, weights: {a: 2}}\n"
    "  setting: {bias: -1, weights: {a: 2}}\n"
    "  remembered: {bias: 0, weights: {b: 1, a: -1}}\n",
    "guardrail": (SHIPPED / "guardrail.yaml").read_text(encoding="utf-8"),
}


def load(**changed: str | None) -> Policies:
    """Policies from TEXTS, some of them replaced; None: the file is missing."""
    texts: dict[str, str | None] = {file_of(name): changed.get(name, TEXTS[name]) for name in NAMES}
    return load_policies(texts.get)


def shipped() -> Policies:
    return load_directory(SHIPPED)
