"""Memory in ChromaDB, embedded or on a server: post-mortems by issue number, searched by text. A cache: GitHub holds the originals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import chromadb
import httpx
import numpy as np
from chromadb.api.types import EmbeddingFunction
from chromadb.config import Settings
from chromadb.errors import ChromaError
from chromadb.utils.embedding_functions import register_embedding_function

from bot.adapters.embedding import embed
from bot.codec import from_json, to_json
from bot.errors import Refused, Retry
from bot.model import PostMortem

COLLECTION = "post-mortems-v1"


@register_embedding_function
class HashedText(EmbeddingFunction[Any]):
    """Our embedding under a name that ChromaDB stores with the collection, so that it never downloads a model of its own."""

    def __init__(self) -> None: ...

    def __call__(self, input: Any) -> Any:
        return [np.array(embed(text), dtype=np.float32) for text in input]

    @staticmethod
    def name() -> str:
        return "sre-space-hashed-text"

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> HashedText:
        return HashedText()

    def get_config(self) -> dict[str, Any]:
        return {}


class ChromaMemory:
    """The Memory port. `url` names a server (http://host:port); else `path` is a folder, and None keeps everything in this process.

    Raises Retry when the server or the files cannot be used now.
    """

    def __init__(self, path: Path | None, url: str = "") -> None:
        with _trouble():
            self._client: Any = _client(path, url, Settings(anonymized_telemetry=False))
            self._collection = self._open()

    def remember(self, post_mortem: PostMortem) -> None:
        """Adds or replaces the post-mortem of this issue."""
        self._upsert([post_mortem])

    def recall(self, text: str, limit: int) -> Sequence[tuple[PostMortem, float]]:
        """Most similar first, with the cosine similarity clipped to 0..1."""
        wanted = min(limit, self.count())
        if wanted <= 0:
            return ()
        with _trouble():
            found = self._collection.query(query_texts=[text], n_results=wanted, include=["metadatas", "distances"])
        pairs = zip(found["metadatas"][0], found["distances"][0], strict=True)
        return tuple((from_json(PostMortem, json.loads(one["post_mortem"])), _similarity(distance)) for one, distance in pairs)

    def count(self) -> int:
        with _trouble():
            return int(self._collection.count())

    def rebuild(self, post_mortems: Iterable[PostMortem]) -> None:
        """Forgets everything and remembers exactly these."""
        with _trouble():
            self._client.delete_collection(COLLECTION)
            self._collection = self._open()
        latest = {one.issue: one for one in post_mortems}
        if latest:
            self._upsert([latest[issue] for issue in sorted(latest)])

    def _open(self) -> Any:
        return self._client.get_or_create_collection(
            COLLECTION, embedding_function=HashedText(), configuration={"hnsw": {"space": "cosine"}}
        )

    def _upsert(self, post_mortems: Sequence[PostMortem]) -> None:
        with _trouble():
            self._collection.upsert(
                ids=[f"issue-{one.issue}" for one in post_mortems],
                documents=[_document(one) for one in post_mortems],
                metadatas=[{"signature": one.signature, "post_mortem": json.dumps(to_json(one))} for one in post_mortems],
            )


def _document(post_mortem: PostMortem) -> str:
    """Structured signature first, words second: both are searched."""
    return f"{post_mortem.signature} {post_mortem.text}"


def _similarity(distance: float) -> float:
    return min(1.0, max(0.0, 1.0 - float(distance)))


def _client(path: Path | None, url: str, settings: Settings) -> Any:
    if url:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Refused(f"CHROMA_URL {url!r} is no http(s) address: write it like http://127.0.0.1:8000")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return chromadb.HttpClient(host=parts.hostname, port=port, ssl=parts.scheme == "https", settings=settings)
    if path is None:
        return chromadb.EphemeralClient(settings=settings)
    path.mkdir(parents=True, exist_ok=True)
    return chromadb.PersistentClient(path=str(path), settings=settings)


@contextmanager
def _trouble() -> Iterator[None]:
    """ChromaDB's own errors, and the file system's and the network's, as Retry."""
    try:
        yield
    except (ChromaError, OSError, ValueError, httpx.HTTPError) as problem:
        raise Retry(f"memory is not available: {type(problem).__name__}") from problem
