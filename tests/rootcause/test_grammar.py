"""Which successions count as new."""

from __future__ import annotations

from bot.rootcause.comparing.grammar import END, Run, changes
from bot.rootcause.comparing.log_texts import Texts
from bot.rootcause.model import LogLine

NO_ERRORS: frozenset[str] = frozenset()


def runs(steps: str, times: int, first: int = 0) -> list[Run]:
    return [Run("shop", "", "/", f"t{first + n}", (f"t{first + n}", "1"), n, tuple(steps)) for n in range(times)]


def test_a_run_that_ends_early_is_cut_and_one_that_leaves_out_a_step_skips() -> None:
    found = {(one.before, one.after): one.kind for one in changes(runs("abc", 20), [*runs("ab", 10), *runs("ac", 10, 50)], NO_ERRORS)}
    assert found == {("b", END): "cut", ("a", "c"): "skip"}


def test_where_many_branches_were_taken_once_another_one_is_no_surprise() -> None:
    steady = [*runs("ax", 26)]
    branching = [*runs("ax", 20), *(run for n, step in enumerate("mnopqr") for run in runs(f"a{step}", 1, 100 + n))]
    now = [*runs("ax", 20), *runs("az", 6, 50)]
    surprise = [next(one.evidence for one in changes(usual, now, NO_ERRORS) if one.after == "z") for usual in (steady, branching)]
    assert surprise[0] > 1.5
    assert surprise[1] < surprise[0] / 2


def test_many_runs_of_one_trace_are_one_request() -> None:
    loop = [Run("shop", "", "/", "t1", ("t1", "1"), n, ("a",)) for n in range(30)]
    assert changes(runs("ab", 30), loop, NO_ERRORS) == ()


def test_what_hardly_anybody_passed_before_is_unknown() -> None:
    assert changes(runs("ab", 1), runs("a", 20), NO_ERRORS) == ()


def test_a_place_in_the_code_stands_for_whatever_the_line_says() -> None:
    texts = Texts(("stock",))
    lines = [LogLine(0, "stock", "", 0, f"INFO Stock#31 {said}") for said in ("one thing", "quite another")]
    assert {texts.step(line) for line in lines} == {"Stock#31"}
    assert texts.step(LogLine(0, "stock", "", 0, "took 12 ms")) == texts.step(LogLine(0, "stock", "", 0, "took 7 ms"))


def test_the_same_failure_has_the_same_sort_in_every_service() -> None:
    texts = Texts(("stock", "cart"))
    told = [LogLine(0, one, "", 17, f"no instance of {other} after 3 tries") for one, other in (("cart", "stock"), ("stock", "cart"))]
    assert len({texts.sort(line) for line in told}) == 1
