"""Memory in ChromaDB, embedded or on a server: post-mortems by issue number, searched by text. A cache: GitHub holds the originals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import chromadb
from chromadb.api.types import EmbeddingFunction
from chromadb.config import Settings
from chromadb.errors import ChromaError
from chromadb.utils.embedding_functions import register_embedding_function

from bot.adapters.bm25 import bm25, fused
from bot.adapters.embedders import Embedder
from bot.errors import Refused, Retry
from bot.journal import PostMortemRecord
from bot.lean_httpx import httpx
from bot.model import PostMortem
from bot.record import Keyring

COLLECTION = "post-mortems-v2"


@register_embedding_function
class NoEmbedding(EmbeddingFunction[Any]):
    """Vectors are always handed over: a name that ChromaDB stores with the collection, so that it never downloads a model of its own."""

    def __init__(self) -> None: ...

    def __call__(self, input: Any) -> Any:
        raise Refused("ChromaDB was asked to embed text by itself: hand it vectors")

    @staticmethod
    def name() -> str:
        return "sre-space-none"

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> NoEmbedding:
        return NoEmbedding()

    def get_config(self) -> dict[str, Any]:
        return {}


class ChromaMemory:
    """The Memory port. `url` names a server (http://host:port); else `path` is a folder, and None keeps everything in this process.

    Entries are sealed with the marker key like the records on GitHub: what somebody else wrote into a shared index, or into a restored
    one, is never recalled. Raises Retry when the server or the files cannot be used now, and what the embedder raises.
    """

    def __init__(self, path: Path | None, url: str = "", *, keyring: Keyring, embedder: Embedder) -> None:
        self._keyring, self._embed = keyring, embedder
        self._name = f"{COLLECTION}-{embedder.name}"
        with _trouble():
            self._client: Any = _client(path, url, Settings(anonymized_telemetry=False))
            self._collection = self._open()

    def remember(self, post_mortem: PostMortem) -> None:
        """Adds or replaces the post-mortem of this issue."""
        self._upsert([post_mortem])

    def recall(self, text: str, limit: int) -> Sequence[tuple[PostMortem, float]]:
        """Most similar first: by words (BM25) and by vectors, fused by rank; with the cosine similarity clipped to 0..1."""
        known = self._all()
        if limit <= 0 or not known:
            return ()
        vector = self._embed([text])[0]
        with _trouble():
            found = self._collection.query(query_embeddings=[vector], n_results=self.count(), include=["distances"])
        near = {name: _similarity(distance) for name, distance in zip(found["ids"][0], found["distances"][0], strict=True) if name in known}
        names = sorted(known)
        scores = dict(zip(names, bm25(text, [document(known[name]) for name in names]), strict=True))
        by_words = sorted((name for name in names if scores[name] > 0), key=lambda name: (-scores[name], name))
        by_vectors = sorted(near, key=lambda name: (-near[name], name))
        return tuple((known[name], near.get(name, 0.0)) for name in fused([by_words, by_vectors])[:limit])

    def count(self) -> int:
        with _trouble():
            return int(self._collection.count())

    def sync(self, post_mortems: Iterable[PostMortem]) -> None:
        """Adds what is missing and replaces what says something else; older ones stay."""
        known = self._all()
        latest = {_id(one.issue): one for one in post_mortems}
        self._upsert([one for name, one in sorted(latest.items()) if known.get(name) != one])

    def rebuild(self, post_mortems: Iterable[PostMortem]) -> None:
        """Forgets everything and remembers exactly these."""
        with _trouble():
            self._client.delete_collection(self._name)
            self._collection = self._open()
        latest = {one.issue: one for one in post_mortems}
        self._upsert([latest[issue] for issue in sorted(latest)])

    def _all(self) -> dict[str, PostMortem]:
        """Everything that is there and ours, by id."""
        with _trouble():
            rows = self._collection.get(include=["metadatas"])
        found = {}
        for name, row in zip(rows["ids"], rows["metadatas"], strict=True):
            if (one := self._opened(name, row)) is not None:
                found[name] = one
        return found

    def _opened(self, name: str, row: Any) -> PostMortem | None:
        """None when it is not sealed by us for this place."""
        sealed, number = str((row or {}).get("sealed", "")), name.removeprefix("issue-")
        if not number.isascii() or not number.isdigit():
            return None
        records = self._keyring.read(sealed, int(number))
        return next((r.post_mortem for r in records if isinstance(r, PostMortemRecord) and r.post_mortem.issue == int(number)), None)

    def _open(self) -> Any:
        return self._client.get_or_create_collection(
            self._name, embedding_function=NoEmbedding(), configuration={"hnsw": {"space": "cosine"}}
        )

    def _upsert(self, post_mortems: Sequence[PostMortem]) -> None:
        if not post_mortems:
            return
        documents = [document(one) for one in post_mortems]
        vectors = self._embed(documents)
        with _trouble():
            self._collection.upsert(
                ids=[_id(one.issue) for one in post_mortems],
                documents=documents,
                embeddings=vectors,
                metadatas=[
                    {"signature": one.signature, "sealed": self._keyring.seal(PostMortemRecord(one), one.issue)} for one in post_mortems
                ],
            )


def document(post_mortem: PostMortem) -> str:
    """Structured signature first, words second: both are searched."""
    return f"{post_mortem.signature} {post_mortem.text}"


def _id(issue: int) -> str:
    return f"issue-{issue}"


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
