"""Places for what is learnt: nobody who is heard loses one, whoever is silent for long gives it on."""

from __future__ import annotations

from bot.detection.idle import CHECK_S, IDLE_S, IDLE_YOUNG_S, Idle

DAY_S = 86_400.0


def new_places(places: int) -> Idle[list[str]]:
    """Items count as well known once something stands in them."""
    return Idle(places, lambda item, idle_s: idle_s >= (IDLE_S if item else IDLE_YOUNG_S))


def hear(places: Idle[list[str]], operation: str, now_s: float) -> bool:
    return places.heard(("shop", operation), now_s, list) is not None


def test_who_is_hardly_known_and_silent_for_an_hour_gives_the_place_to_a_newcomer() -> None:
    places = new_places(2)
    assert hear(places, "one", 0.0) and hear(places, "two", 0.0)
    assert not hear(places, "three", 60.0) and places.refused == 1
    hear(places, "two", 3_000.0)
    assert hear(places, "three", IDLE_YOUNG_S + CHECK_S)
    assert ("shop", "one") not in places and ("shop", "two") in places
    assert places.refused == 0


def test_a_nightly_job_keeps_what_was_learnt_of_it() -> None:
    places = new_places(1)
    for night in range(5):
        item = places.heard(("shop", "backup"), night * DAY_S, list)
        assert item is not None and len(item) == night
        item.append("learnt")
        assert not hear(places, "other", (night + 0.9) * DAY_S)
    assert hear(places, "other", 4 * DAY_S + IDLE_S)


def test_a_flood_of_names_takes_no_more_memory_than_there_are_places() -> None:
    places = new_places(50)
    for i in range(5_000):
        hear(places, f"op {i}", i * 0.01)
    assert len(places) == 50 and places.refused == 50
    assert not hear(places, "late", 100.0)
    assert hear(places, "later", 2 * IDLE_YOUNG_S)
