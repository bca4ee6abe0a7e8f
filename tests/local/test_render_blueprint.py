"""Stories of the blueprint: what of `render.yaml` runs on a laptop, which environment a service sees, and how errors read."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest

from bot.local.render.blueprint import Blueprint, BlueprintError, parse_blueprint
from bot.local.render.build_filter import BuildFilter
from tests.local.render_world import BLUEPRINT, SERVICE, World, groups_below, start, tell

TWO_SERVICES = """\
services:
  - type: web
    name: control-plane
    runtime: docker
    envVars: [{key: TOKEN, generateValue: true}]
  - type: web
    name: shop
    runtime: python
    buildCommand: echo "$SRE_INSTALLED_LOCKS" > built
    startCommand: python app/serve.py
    healthCheckPath: /healthz
    autoDeployTrigger: commit
    buildFilter: {paths: ["app/**"]}
    envVars:
      - {key: HOST, value: 0.0.0.0}
      - {key: WORKERS, value: 3}
      - {key: SESSION_KEY, generateValue: true}
      - {key: SUPPLIER_URL, fromService: {type: web, name: supplier, envVarKey: RENDER_EXTERNAL_URL}}
      - {key: SUPPLIER_HOSTPORT, fromService: {type: web, name: supplier, property: hostport}}
      - {key: SUPPLIER_KEY, fromService: {type: web, name: supplier, envVarKey: API_KEY}}
      - {key: OTEL_EXPORTER_OTLP_ENDPOINT, fromService: {type: web, name: control-plane, envVarKey: RENDER_EXTERNAL_URL}}
      - {key: OPENAI_API_KEY, sync: false}
  - type: web
    name: supplier
    runtime: python
    rootDir: supplier
    buildCommand: test -f serve.py
    startCommand: python serve.py
    healthCheckPath: /healthz
    envVars:
      - {key: API_KEY, generateValue: true}
"""
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


def parse(text: str) -> Blueprint:
    return parse_blueprint(text, exclude=["control-plane"], default_branch="main")


def shop(line: str) -> str:
    return BLUEPRINT + f"    {line}\n"


async def environment_of(world: World, service: str) -> dict[str, str]:
    async with httpx.AsyncClient(verify=False) as client:
        env: dict[str, str] = (await client.get(world.render.urls[service])).json()["env"]
        return env


def test_service_sees_the_blueprints_variables_renders_own_and_nothing_of_the_parents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARENTS_SECRET", "do not leak")

    async def story(world: World) -> None:
        env = await environment_of(world, "shop")
        supplier = world.render.urls["supplier"]
        expected = {
            "WORKERS": "3",
            "SUPPLIER_URL": supplier,
            "SUPPLIER_HOSTPORT": supplier.removeprefix("http://"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
            "HOST": "127.0.0.1",  # not the blueprint's 0.0.0.0: loopback only
            "RENDER": "true",
            "RENDER_GIT_COMMIT": world.first_commit,
            "RENDER_GIT_BRANCH": "main",
            "RENDER_SERVICE_NAME": "shop",
            "RENDER_EXTERNAL_URL": world.render.urls["shop"],
            "SRE_INSTALLED_LOCKS": "abc def",
        }
        assert {k: env.get(k) for k in expected} == expected
        assert env["SUPPLIER_KEY"] == (await environment_of(world, "supplier"))["API_KEY"] != env["SESSION_KEY"]
        assert "PARENTS_SECRET" not in env and "OPENAI_API_KEY" not in env
        assert env["HOME"] != os.environ["HOME"] and Path(env["HOME"]).is_relative_to(world.workdir)
        assert "control-plane" not in world.render.urls

    tell(World(tmp_path, blueprint=TWO_SERVICES, files={"supplier/serve.py": SERVICE}, env=ENDPOINT), story)


def test_generated_values_and_addresses_stay_the_same_from_deploy_to_deploy(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        before = await environment_of(world, "shop")
        await world.repo.push({"app/serve.py": SERVICE + "# 2"})
        await world.render.idle()
        after = await environment_of(world, "shop")
        assert after["RENDER_GIT_COMMIT"] != before["RENDER_GIT_COMMIT"]
        for key in ("SESSION_KEY", "SUPPLIER_KEY", "SUPPLIER_URL", "RENDER_EXTERNAL_URL"):
            assert after[key] == before[key]
        assert after["PORT"] != before["PORT"] and after["HOME"] != before["HOME"]

    tell(World(tmp_path, blueprint=TWO_SERVICES, files={"supplier/serve.py": SERVICE}, env=ENDPOINT), story)


def test_needed_services_are_live_before_those_that_need_them(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        shop_deploy, supplier_deploy = world.render.deploys("shop")[0], world.render.deploys("supplier")[0]
        assert supplier_deploy.finished_at_s is not None and supplier_deploy.finished_at_s <= shop_deploy.created_at_s

    tell(World(tmp_path, blueprint=TWO_SERVICES, files={"supplier/serve.py": SERVICE}, env=ENDPOINT), story)


def test_services_that_refer_to_each_other_start_together() -> None:
    text = """\
services:
  - {type: web, name: a, runtime: python, buildCommand: x, startCommand: x, envVars: [{key: B, fromService: {name: b, property: host}}]}
  - {type: web, name: b, runtime: python, buildCommand: x, startCommand: x, envVars: [{key: A, fromService: {name: a, property: host}}]}
  - {type: web, name: c, runtime: python, buildCommand: x, startCommand: x}
"""
    order = parse_blueprint(text, exclude=[], default_branch="main").start_order()
    assert [[s.name for s in group] for group in order] == [["c"], ["a", "b"]]


def test_reference_to_a_service_that_does_not_run_here_asks_for_the_value(tmp_path: Path) -> None:
    world = World(tmp_path, blueprint=TWO_SERVICES, files={"supplier/serve.py": SERVICE})
    with pytest.raises(BlueprintError, match="OTEL_EXPORTER_OTLP_ENDPOINT comes from service control-plane, which does not run here: pass"):
        start(world)
    assert groups_below(world.workdir) == set()


def test_pushed_change_of_the_blueprint_is_applied_to_the_service_it_changes(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        changed = TWO_SERVICES.replace("value: 3", "value: 4")
        await world.repo.push({"render.yaml": changed})
        await world.render.idle()
        assert (await environment_of(world, "shop"))["WORKERS"] == "4"
        assert world.render.deploys("shop")[0].trigger == "blueprint_sync"
        assert len(world.render.deploys("supplier")) == 1

    tell(World(tmp_path, blueprint=TWO_SERVICES, files={"supplier/serve.py": SERVICE}, env=ENDPOINT), story)


def test_pushed_blueprint_that_is_broken_changes_nothing_and_says_why(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.repo.push({"render.yaml": "services: 3", "app/serve.py": SERVICE.replace('"hello"', '"still deployed"')})
        await world.render.idle()
        assert world.render.blueprint_error is not None and "lists no services" in world.render.blueprint_error
        async with httpx.AsyncClient(verify=False) as client:
            assert (await client.get(world.render.urls["shop"])).json()["greeting"] == "still deployed"
        await world.repo.push({"render.yaml": BLUEPRINT})
        assert world.render.blueprint_error is None

    tell(World(tmp_path), story)


def test_service_that_a_push_adds_to_the_blueprint_gets_an_address(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        more = BLUEPRINT + BLUEPRINT.removeprefix("services:\n").replace("name: shop", "name: shop-two")
        await world.repo.push({"render.yaml": more})
        await world.render.idle()
        assert (await environment_of(world, "shop-two"))["RENDER_SERVICE_NAME"] == "shop-two"
        assert len(world.render.deploys("shop")) == 1

    tell(World(tmp_path), story)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("services: [", "not valid YAML"),
        ("databases: []", "lists no services"),
        ("services: [{type: web}]", r"services\[0\]\.name must be"),
        ("services: [{type: web, name: ../../etc}]", r"services\[0\]\.name must be"),
        (BLUEPRINT + BLUEPRINT.removeprefix("services:\n"), "two services are called shop"),
        (BLUEPRINT.replace("runtime: python", "runtime: docker"), "service shop: type web, runtime docker does not run on a laptop"),
        (BLUEPRINT.replace("type: web", "type: keyvalue"), "type keyvalue"),
        (BLUEPRINT.replace("startCommand: python app/serve.py", "startCommand: [python]"), "startCommand must be a text"),
        (BLUEPRINT.replace("    startCommand: python app/serve.py\n", ""), "startCommand must be a text"),
        (shop("preDeployCommand: ./migrate"), "service shop: preDeployCommand is not supported"),
        (shop("branch: develop"), "branch is 'develop'"),
        (shop("rootDir: ../other"), "rootDir must stay inside the repository"),
        (shop("rootDir: /etc"), "rootDir must stay inside the repository"),
        (shop("autoDeployTrigger: checksPass"), "autoDeployTrigger must be commit or off"),
        (shop("maxShutdownDelaySeconds: 0"), "maxShutdownDelaySeconds must be 1 to 300"),
        (BLUEPRINT.replace("/healthz", "healthz"), "healthCheckPath must start with /"),
        (BLUEPRINT.replace("/healthz", '"/x\\r\\nHost: evil"'), "healthCheckPath must start with /"),
        (BLUEPRINT.replace("[app/**]", '["{app,lib}/**"]'), "braces are not supported"),
        (BLUEPRINT.replace("paths: [app/**]", "path: [app/**]"), "buildFilter holds only paths and ignoredPaths"),
        (shop("envVars: [{fromGroup: shared}]"), r"envVars\[0\]: expected a key"),
        (shop("envVars: [{key: A, value: x, sync: false}]"), r"envVars\[0\] \(A\): give exactly one of"),
        (shop("envVars: [{key: A, value: [1]}]"), "value must be a text or a number"),
        (
            shop("envVars: [{key: A, fromService: {name: ghost, property: host}}]"),
            "fromService refers to ghost, which the file does not define",
        ),
        (shop("envVars: [{key: A, fromService: {name: shop}}]"), "exactly one of property, envVarKey"),
        (shop("envVars: [{key: A, fromService: {name: shop, property: address}}]"), "property must be host, port"),
    ],
)
def test_blueprint_that_cannot_run_here_is_a_clear_error(text: str, says: str) -> None:
    with pytest.raises(BlueprintError, match=says):
        parse(text)


def test_variables_that_refer_to_each_other_in_a_circle_are_a_clear_error(tmp_path: Path) -> None:
    circle = shop("envVars: [{key: A, fromService: {name: shop, envVarKey: B}}, {key: B, fromService: {name: shop, envVarKey: A}}]")
    with pytest.raises(BlueprintError, match="refers to itself through"):
        start(World(tmp_path, blueprint=circle))


def test_services_that_do_not_run_here_may_say_anything() -> None:
    blueprint = parse(shop("plan: free") + "  - {type: web, name: control-plane, runtime: docker, disk: {sizeGB: 1}, unheardOf: 1}\n")
    assert blueprint.elsewhere == {"control-plane"}


@pytest.mark.parametrize(
    ("paths", "ignored", "root", "changed", "deploys"),
    [
        (("userplane/**",), ("userplane/carriers/**",), "", "userplane/web/app.py", True),
        (("userplane/**",), ("userplane/carriers/**",), "", "userplane/carriers/app.py", False),
        (("userplane/**",), (), "", "userplane-two/app.py", False),
        (("*.py",), (), "", "main.py", True),
        (("*.py",), (), "", "src/main.py", False),
        (("**/*.py",), (), "", "main.py", True),
        (("**/*.py",), (), "", "src/deep/main.py", True),
        (("src/?.[ch]",), (), "", "src/a.c", True),
        (("src/?.[!ch]",), (), "", "src/a.c", False),
        (("requirements/userplane.lock",), (), "", "requirements/userplane_lock", False),
        ((), (), "", "anything", True),
        ((), (), "backend", "backend/app.py", True),
        ((), (), "backend", "frontend/app.js", False),
        ((), ("backend/docs/**",), "backend", "backend/docs/a.md", False),
        (("shared/**",), (), "backend", "shared/a.py", True),
    ],
)
def test_build_filter(paths: tuple[str, ...], ignored: tuple[str, ...], root: str, changed: str, deploys: bool) -> None:
    assert BuildFilter(root, paths, ignored).wants([changed]) is deploys
