"""What the pages name is there: files, headings, commands, make targets, secrets and variables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from bot.__main__ import COMMANDS
from bot.agents.human import VERBS
from bot.settings import SETTINGS
from tests.docs.pages import PAGES, ROOT, anchors, links, read, rows, section

WORKFLOWS = tuple(sorted((ROOT / ".github" / "workflows").glob("*.yml")))
COMMANDS_PAGE = ROOT / "docs" / "commands.md"
IMAGE_LIMIT_BYTES = 250_000
OURS = re.compile(r"\b(?:SRE|OPENAI|CHROMA)_[A-Z_]+\b")
MODULE = re.compile(r"`((?:bot|userplane|monitor|policies|tests|scripts|requirements|benchmarks)/[\w./-]*)`")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    for link in links(page):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), f"{link}: no such file"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    missing = [path for path in MODULE.findall(read(page)) if not (ROOT / path).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_and_make_target_that_a_page_names_exists(page: Path) -> None:
    text = read(page)
    assert set(re.findall(r"(?:`|^)(?:sre-space|python -m bot) ([a-z]+)", text, re.MULTILINE)) <= set(COMMANDS)
    assert set(re.findall(r"/sre ([a-z]+)", text)) <= set(VERBS)
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", text, re.MULTILINE)) <= make_targets()


def make_targets() -> set[str]:
    phony = re.search(r"^\.PHONY: (.+)$", read(ROOT / "Makefile"), re.MULTILINE)
    assert phony is not None
    return set(phony[1].split())


def test_the_page_of_commands_has_every_command_verb_and_target_once() -> None:
    first = [row[0].strip("`") for row in rows(read(COMMANDS_PAGE))]
    assert sorted(cell for cell in first if cell.startswith("sre-space ")) == sorted(f"sre-space {command}" for command in COMMANDS)
    assert sorted(cell for cell in first if cell.startswith("/sre ")) == sorted(f"/sre {verb}" for verb in VERBS)
    assert sorted(cell for cell in first if cell.startswith("make ")) == sorted(f"make {target}" for target in make_targets() - {"help"})


def test_each_command_is_taken_back_as_the_page_says() -> None:
    told = {
        row[0].strip("`").removeprefix("/sre "): row[2].strip("`–") for row in rows(section(COMMANDS_PAGE, "On GitHub: slash commands"))
    }
    assert told == {verb: meaning.cancel for verb, meaning in VERBS.items()}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=name)
def test_a_workflow_sets_only_settings_that_are_read(workflow: Path) -> None:
    known = {variable for setting in SETTINGS for variable in setting.names}
    jobs = yaml.safe_load(read(workflow))["jobs"].values()
    given = {variable for job in jobs for step in job["steps"] for variable in step.get("env", {})}
    assert {variable for variable in given if OURS.fullmatch(variable)} <= known


def test_the_page_for_real_repositories_names_every_secret_and_variable_that_workflows_use() -> None:
    used = {(kind, found) for workflow in WORKFLOWS for kind, found in re.findall(r"\b(secrets|vars)\.([A-Z_]+)", read(workflow))}
    told = set(re.findall(r"^\| (secret|variable) \| `([A-Z_]+)`", read(ROOT / "docs" / "real-repository.md"), re.MULTILINE))
    assert told == {("secret" if kind == "secrets" else "variable", found) for kind, found in used}


def test_pages_name_only_settings_that_are_read() -> None:
    known = {variable for setting in SETTINGS for variable in setting.names}
    for page in PAGES:
        assert set(OURS.findall(read(page))) <= known, name(page)


def test_pictures_are_small_enough_for_a_page() -> None:
    pictures = list((ROOT / "docs" / "images").glob("*.png"))
    assert pictures and all(picture.stat().st_size < IMAGE_LIMIT_BYTES for picture in pictures)
