"""A gauge that stands alone is judged by its shape, until it turns out not to stand alone."""

from __future__ import annotations

from bot.detection.detector import Detector
from bot.detection.gauges import MAX_GAUGES, GaugeEngine
from bot.detection.observation import Point, SeriesId


class Jump:
    """A judge whose opinion is plain: values above 100 are news."""

    def add(self, at_s: float, value: float) -> float:
        return 0.9 if value > 100.0 else 0.0


def gauge(at_s: float, service: str, value: float, metric: str = "value", statistic: str = "") -> Point:
    return Point(at_s, SeriesId(service, metric, statistic, (), "", "gauge"), value)


def test_news_of_a_lone_gauge_is_an_alarm_at_its_own_time() -> None:
    detector = Detector(Jump)
    found = []
    for second in range(10):
        detector.observe(gauge(float(second), "boiler", 500.0 if second == 7 else 20.0))
        found += detector.tick(float(second))
    assert [(alarm.at_s, alarm.service, alarm.signal, alarm.score) for alarm in found] == [(7.0, "boiler", "unusual", 0.9)]


def test_a_second_series_of_the_service_ends_its_standing_alone() -> None:
    engine = GaugeEngine(Jump)
    engine.observe_point(gauge(1.0, "api", 500.0))
    engine.observe_point(gauge(1.0, "api", 1.0, metric="other"))
    engine.observe_point(gauge(2.0, "api", 500.0))
    assert engine.tick(2.0) == [] and engine.services == 0


def test_a_statistic_of_a_distribution_never_stood_alone() -> None:
    engine = GaugeEngine(Jump)
    engine.observe_point(gauge(1.0, "api", 500.0, statistic="p99"))
    assert not engine.due()


def test_more_gauges_than_memory_allows_are_ignored_and_counted() -> None:
    engine = GaugeEngine(Jump)
    for number in range(MAX_GAUGES + 3):
        engine.observe_point(gauge(1.0, f"sensor-{number}", 500.0))
    assert len(engine.tick(1.0)) == MAX_GAUGES and engine.ignored_gauges == 3
