"""Stack traces of real exceptions become places in our own code, innermost last."""

from __future__ import annotations

import traceback
from pathlib import Path

from bot.policy.schema import ServiceSpec
from bot.telemetry.frames import frames, path_prefixes, relative_path

SERVICES = (ServiceSpec("a", ("shop/engine/**", "shop/common/*.py", "shop/manifests/a.yaml")), ServiceSpec("b", ("tests/**", "**")))
PREFIXES = path_prefixes(SERVICES)


def boom() -> None:
    raise KeyError("rate")


def caught() -> None:
    try:
        boom()
    except KeyError as error:
        raise ValueError("no price") from error


def test_prefixes_are_the_literal_beginnings_of_the_globs() -> None:
    assert PREFIXES == ("shop/manifests/a.yaml", "shop/common/", "shop/engine/", "tests/")


def test_a_path_is_cut_to_the_repository() -> None:
    assert relative_path("/any/where/shop/engine/pricing.py", PREFIXES) == "shop/engine/pricing.py"
    assert relative_path("/srv/shop/engine/releases/7/shop/engine/x.py", PREFIXES) == "shop/engine/x.py"
    assert relative_path(r"C:\app\shop\engine\x.py", PREFIXES) == "shop/engine/x.py"
    assert relative_path("shop/engine/x.py", PREFIXES) == "shop/engine/x.py"
    assert relative_path("/srv/workshop/engine/x.py", PREFIXES) is None


def test_the_root_cause_of_a_chain_comes_last() -> None:
    try:
        caught()
    except ValueError as error:
        text = "".join(traceback.format_exception(error))
    found = frames(text, PREFIXES)
    here = f"tests/telemetry/{Path(__file__).name}"
    assert [frame.rsplit(":", 1)[0] for frame in found] == [
        f"{here}:test_the_root_cause_of_a_chain_comes_last",
        f"{here}:caught",
        f"{here}:caught",
        f"{here}:boom",
    ]
    assert found[-1] == f"{here}:boom:{boom.__code__.co_firstlineno + 1}"


def test_frames_inside_an_exception_group_are_found() -> None:
    try:
        try:
            boom()
        except KeyError as error:
            raise ExceptionGroup("several", [error]) from None
    except ExceptionGroup as group:
        text = "".join(traceback.format_exception(group))
    assert frames(text, PREFIXES)[-1].startswith(f"tests/telemetry/{Path(__file__).name}:boom:")


def test_without_own_frames_the_innermost_foreign_ones_are_kept() -> None:
    text = (
        'Traceback (most recent call last):\n  File "/usr/lib/python3/json/decoder.py", line 355, in raw_decode\n    raise\nValueError: x\n'
    )
    assert frames(text, PREFIXES) == ("python3/json/decoder.py:raw_decode:355",)


def test_another_language_keeps_its_first_lines() -> None:
    text = "java.lang.NullPointerException: x\n\tat shop.Engine.price(Engine.java:12)\n\tat shop.Main.main(Main.java:3)\n"
    assert frames(text, PREFIXES) == (
        "java.lang.NullPointerException: x",
        "at shop.Engine.price(Engine.java:12)",
        "at shop.Main.main(Main.java:3)",
    )
    assert frames("", PREFIXES) == ()
