"""Text as a vector without a model: hashed words and character n-grams, 384 dimensions, the same on every machine and in every process."""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator

DIMENSIONS = 384
WORD_WEIGHT, GRAM_WEIGHT = 1.0, 0.35
GRAM = 4


def embed(text: str) -> list[float]:
    """A unit vector; texts that share words, or parts of words, are near. Numbers count as one word: figures never repeat.

    Signed feature hashing (Weinberger et al., 2009) with logarithmic term frequencies.
    """
    counts = Counter(_features(text.lower()))
    vector = [0.0] * DIMENSIONS
    for (weight, feature), count in counts.items():
        digest = hashlib.blake2b(feature.encode(), digest_size=5).digest()
        sign = 1.0 if digest[4] & 1 else -1.0
        vector[int.from_bytes(digest[:4], "big") % DIMENSIONS] += sign * weight * (1.0 + math.log(count))
    length = math.sqrt(sum(value * value for value in vector))
    if not length:
        vector[0], length = 1.0, 1.0
    return [value / length for value in vector]


def _features(text: str) -> Iterator[tuple[float, str]]:
    for word in re.findall(r"[^\W_]+", text):
        if word.isdigit():
            yield WORD_WEIGHT / 2, "#"
            continue
        yield WORD_WEIGHT, word
        padded = f"^{word}$"
        for start in range(max(0, len(padded) - GRAM + 1)):
            yield GRAM_WEIGHT, "~" + padded[start : start + GRAM]
