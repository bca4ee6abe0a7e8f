"""What turns text into vectors: our own hashing, offline, or an OpenAI-compatible endpoint. Chosen by settings alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.adapters.embedding import embed
from bot.errors import Refused, Retry
from bot.lean_httpx import httpx

MAX_CHARACTERS = 8_000  # of one text: below the 8,191 tokens that OpenAI's models take
BATCH = 64  # texts of one request


class Embedder(Protocol):
    @property
    def name(self) -> str:
        """Stands in the collection's name: vectors of different embedders are never mixed."""
        ...

    def __call__(self, texts: Sequence[str]) -> list[list[float]]: ...


class Hashing:
    """Needs no network and no model; the same on every machine."""

    name = "hashed-text"

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        return [embed(text) for text in texts]


class OpenAIEmbedder:
    """POST /embeddings of OpenAI or a compatible endpoint. Raises Retry (network, 429, 5xx) or Refused (other 4xx, unusable answers)."""

    def __init__(self, client: httpx.Client, *, api_key: str, base_url: str, model: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._url = f"{(base_url or 'https://api.openai.com/v1').rstrip('/')}/embeddings"
        self._model = model

    @property
    def name(self) -> str:
        return "openai-" + "".join(c if c.isalnum() else "-" for c in self._model)[:40].strip("-")

    def __call__(self, texts: Sequence[str]) -> list[list[float]]:
        cut = [text[:MAX_CHARACTERS] for text in texts]
        return [vector for start in range(0, len(cut), BATCH) for vector in self._batch(cut[start : start + BATCH])]

    def _batch(self, texts: Sequence[str]) -> list[list[float]]:
        try:
            answer = self._client.post(self._url, headers=self._headers, json={"model": self._model, "input": list(texts)})
        except httpx.HTTPError as problem:
            raise Retry(f"the embeddings endpoint is not there: {type(problem).__name__}") from problem
        if answer.status_code == 429 or answer.status_code >= 500:
            raise Retry(f"the embeddings endpoint answers {answer.status_code}", after_s=10)
        if answer.status_code != 200:
            raise Refused(f"the embeddings endpoint answers {answer.status_code}: check OPENAI_API_KEY and OPENAI_EMBEDDING_MODEL")
        try:
            rows = sorted(answer.json()["data"], key=lambda row: int(row["index"]))
            vectors = [[float(value) for value in row["embedding"]] for row in rows]
        except (ValueError, KeyError, TypeError) as problem:
            raise Refused("the embeddings endpoint did not answer in the form asked for") from problem
        if len(vectors) != len(texts) or not vectors[0] or any(len(vector) != len(vectors[0]) for vector in vectors):
            raise Refused("the embeddings endpoint gave another number of vectors than asked for")
        return vectors
