"""Okapi BM25 over a few hundred documents, in memory: S. Robertson and H. Zaragoza, "The Probabilistic Relevance Framework" (2009)."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

K1, B = 1.2, 0.75  # the usual values
_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """Lower-case words and whole signatures; figures are left out, since they never repeat."""
    found = [word for word in _WORD.findall(text.lower()) if not word.isdigit()]
    return found + [token.lower() for token in text.split() if "~" in token]


def bm25(query: str, documents: Sequence[str]) -> list[float]:
    """One score a document, 0 where no word of the query stands in it."""
    counts = [Counter(words(document)) for document in documents]
    lengths = [sum(count.values()) for count in counts]
    mean = sum(lengths) / len(lengths) if sum(lengths) else 1.0
    scores = [0.0] * len(documents)
    for word in sorted(set(words(query))):
        holding = sum(word in count for count in counts)
        if not holding:
            continue
        rarity = math.log(1.0 + (len(documents) - holding + 0.5) / (holding + 0.5))
        for i, count in enumerate(counts):
            times = count[word]
            scores[i] += rarity * times * (K1 + 1) / (times + K1 * (1 - B + B * lengths[i] / mean)) if times else 0.0
    return scores


def fused(rankings: Sequence[Sequence[str]]) -> list[str]:
    """Several rankings as one, best first: reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009)."""
    rank_offset = 60  # theirs
    scores: Counter[str] = Counter()
    for ranking in rankings:
        for rank, name in enumerate(ranking, 1):
            scores[name] += 1.0 / (rank_offset + rank)  # type: ignore[assignment]  # counters add floats as well
    return sorted(scores, key=lambda name: (-scores[name], name))
