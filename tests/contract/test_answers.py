"""The memory of conditional requests stays small, whatever GitHub answers."""

from __future__ import annotations

from bot.adapters.github.answers import ANSWER_LIMIT_BYTES, CACHE_LIMIT_BYTES, Answer, AnswerCache


def answer(size_bytes: int, etag: str = '"e"') -> Answer:
    return Answer(etag, b"x" * size_bytes, more=False)


def test_a_year_of_answers_takes_eight_mebibytes_at_most() -> None:
    cache = AnswerCache()
    for n in range(300):
        cache.put(f"issues/{n}", answer(100_000))
        assert cache.size_bytes <= CACHE_LIMIT_BYTES == 8 << 20
    assert cache.get("issues/299") is not None and cache.get("issues/0") is None


def test_a_url_has_one_answer_and_what_is_asked_for_often_stays() -> None:
    cache = AnswerCache(limit_bytes=1000)
    cache.put("often", answer(300))
    cache.put("often", answer(301))
    assert cache.size_bytes == 301 + len('"e"') + len("often")
    for n in range(20):
        cache.put(f"once/{n}", answer(300))
        assert cache.get("often") == answer(301)
    assert cache.size_bytes <= 1000


def test_a_huge_answer_and_one_without_an_etag_are_not_kept_and_replace_the_old_one() -> None:
    cache = AnswerCache()
    for worse in (answer(ANSWER_LIMIT_BYTES), answer(10, etag="")):
        cache.put("a", answer(10))
        cache.put("a", worse)
        assert cache.get("a") is None and cache.size_bytes == 0
