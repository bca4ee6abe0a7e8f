"""What the project's own deployment files promise: merges below userplane/ never restart the control plane, ports stay local."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.local.render.blueprint import parse_blueprint
from bot.local.render.build_filter import BuildFilter

ROOT = Path(__file__).resolve().parents[2]
NOT_ON_A_LAPTOP = ["sre-space"]


def raw_services() -> dict[str, dict[str, Any]]:
    return {s["name"]: s for s in yaml.safe_load((ROOT / "render.yaml").read_text(encoding="utf-8"))["services"]}


def filter_of(service: str) -> BuildFilter:
    raw = raw_services()[service]["buildFilter"]
    return BuildFilter("", tuple(raw["paths"]), tuple(raw.get("ignoredPaths", ())))


def test_laptop_runs_the_insurers_first_and_then_the_marketplace() -> None:
    blueprint = parse_blueprint((ROOT / "render.yaml").read_text(encoding="utf-8"), exclude=NOT_ON_A_LAPTOP, default_branch="main")
    insurers, rest = blueprint.start_order()
    assert {s.name for s in insurers} == {"carrier-alder", "carrier-birch", "carrier-cedar"}
    assert [s.name for s in rest] == ["insurance-marketplace"]
    assert blueprint.elsewhere == set(NOT_ON_A_LAPTOP)


@pytest.mark.parametrize(
    ("changed", "deployed"),
    [
        ("userplane/manifests/carrier-gateway.yaml", {"insurance-marketplace"}),
        ("userplane/engine/pricing.py", {"insurance-marketplace"}),
        ("userplane/carriers/app.py", {"carrier-alder", "carrier-birch", "carrier-cedar"}),
        ("userplane/common/serving.py", {"insurance-marketplace", "carrier-alder", "carrier-birch", "carrier-cedar"}),
        ("userplane/traffic/customers.py", set()),
        ("docs/architecture.md", set()),
        ("tests/local/test_render_files.py", set()),
        ("monitor/monitor.html", set()),
        ("bot/local/render/api.py", set()),
        ("bot/decide.py", {"sre-space"}),
        ("policies/slo.yaml", {"sre-space"}),
        ("requirements/serve.lock", {"sre-space"}),
    ],
)
def test_merge_deploys_only_the_services_that_it_changes(changed: str, deployed: set[str]) -> None:
    built = [name for name, service in raw_services().items() if service["type"] == "web"]
    assert {name for name in built if filter_of(name).wants([changed])} == deployed


def test_no_secret_stands_in_the_blueprint() -> None:
    services = raw_services()
    for service in services.values():
        for variable in service.get("envVars", []):
            if re.search(r"TOKEN|KEY|SECRET|HEADERS", variable["key"]):
                assert variable.get("sync") is False or variable.get("generateValue") is True, variable


def test_image_is_the_small_one_by_default_and_runs_without_root() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", dockerfile, re.MULTILINE)
    assert [name for _, name in stages] == ["base", "kernel", "full", "serve"]
    serve = dockerfile[dockerfile.index(" AS serve") :]
    assert "requirements/serve.lock" in serve and "requirements/think.lock" not in serve and "USER 10001" in serve


def test_compose_opens_no_port_to_the_outside() -> None:
    """With the host's network nothing is published; what runs inside binds loopback."""
    compose = yaml.safe_load((ROOT / "docker-compose.local.yml").read_text(encoding="utf-8"))
    (service,) = compose["services"].values()
    assert service["network_mode"] == "host" and "ports" not in service and "SRE_HOST" not in service.get("environment", {})


def test_hosted_monitor_runs_its_own_scripts_only_and_may_reach_the_control_plane() -> None:
    vercel = json.loads((ROOT / "vercel.json").read_text(encoding="utf-8"))
    headers = {h["key"]: h["value"] for h in vercel["headers"][0]["headers"]}
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["script-src"] == "'self'" and policy["default-src"] == "'none'" and "https:" in policy["connect-src"]
    page = vercel["rewrites"][0]["destination"].lstrip("/")
    assert (ROOT / vercel["outputDirectory"] / page).is_file()
