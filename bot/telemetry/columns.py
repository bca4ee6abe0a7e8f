"""A column of whole numbers, for annotations that are looked at while the program runs: Python 3.11's array has no generic form."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    Column: TypeAlias = array[int]
else:
    Column = array
