"""What a measure is of."""

from __future__ import annotations

from typing import NamedTuple

Values = dict[int, float]  # by interval number


class Label(NamedTuple):
    """Which series of a subject: metric and statistic."""

    metric: str
    statistic: str


class Key(NamedTuple):
    """What is measured: `caller` is set on edges, `instance` on what is one instance's alone."""

    quantity: str
    service: str
    caller: str = ""
    instance: str = ""
    label: Label = Label("", "")
