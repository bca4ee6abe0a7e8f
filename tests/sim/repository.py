"""The simulated repository: real policies, stubs of the workflows, and a small service that can be broken in two ways."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bot.policy.load import NAMES, load_policies
from bot.policy.schema import Policies

ROOT = Path(__file__).parents[2]
MANIFEST = "userplane/manifests/carrier-gateway.yaml"
RATES = "userplane/engine/rates.py"
PAGE = "userplane/web/page.py"
CARRIERS = ("carrier-alder", "carrier-birch", "carrier-cedar")
GOOD_LINE, BAD_LINE = "return RATES[years]", "return FACTORS[years]"

_POLICIES = {f"policies/{name}.yaml": (ROOT / "policies" / f"{name}.yaml").read_text(encoding="utf-8") for name in NAMES}
_SECTION = "  {name}:\n    timeout_s: 30\n    breaker:\n      enabled: false\n    fallback: none\n"
_RUN_NAMES = {
    "diagnose.yml": 'run-name: "diagnose #${{ inputs.issue }} attempt ${{ inputs.attempt }}"\n',
    "curator.yml": 'run-name: "curate #${{ inputs.issue || github.event.issue.number }}"\n',
    "guardrail.yml": "name: Guardrail\n",
}


def files() -> dict[str, str]:
    return {
        **_POLICIES,
        **{f".github/workflows/{name}": text for name, text in _RUN_NAMES.items()},
        MANIFEST: "dependencies:\n" + "".join(_SECTION.format(name=name) for name in CARRIERS),
        RATES: f"RATES = {{}}\n\n\ndef rate(years):\n    {GOOD_LINE}\n\n\ndef name():\n    return 'rates'\n",
        PAGE: "TITLE = 'Quotes'\n",
    }


def policies() -> Policies:
    return load_policies(_POLICIES.get)


def is_bounded(tree: Mapping[str, str], carrier: str) -> bool:
    """Whether calls to that carrier end before they hurt: what heals a hanging one."""
    return _SECTION.format(name=carrier) not in tree[MANIFEST]


def has_bug(tree: Mapping[str, str]) -> bool:
    return BAD_LINE in tree[RATES]
