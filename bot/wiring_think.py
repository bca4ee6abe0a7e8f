"""Wires what thinks: the vector memory and the reasoner. Loaded only by the jobs that think, never by the always-on process."""

from __future__ import annotations

from bot.adapters.chroma import ChromaMemory
from bot.adapters.embedders import Embedder, Hashing, OpenAIEmbedder
from bot.diagnosis.reasoner import EvidenceReasoner
from bot.errors import Refused
from bot.lean_httpx import httpx
from bot.ports import Reasoner
from bot.record import Keyring
from bot.settings import Settings
from bot.tls import trusted

MODEL_TIMEOUT_S = 60.0  # one answer; the job itself has five minutes
EMBEDDING_TIMEOUT_S = 20.0
MODEL_OUTPUT_TOKENS = 2_000


def build_memory(settings: Settings) -> ChromaMemory:
    """Embedded under `chroma_path`, or the server at `chroma_url`; sealed with the marker key."""
    keyring = Keyring(settings.marker_key.encode(), settings.repository)
    path = None if settings.chroma_url else settings.chroma_path
    return ChromaMemory(path, settings.chroma_url, keyring=keyring, embedder=build_embedder(settings))


def build_embedder(settings: Settings) -> Embedder:
    """Raises Refused when OpenAI's embeddings are asked for and there is neither a key nor an endpoint."""
    if settings.embedding == "offline":
        return Hashing()
    if not settings.openai_api_key and not settings.openai_base_url:
        raise Refused("SRE_EMBEDDING is openai, but there is no OPENAI_API_KEY and no OPENAI_BASE_URL: set one, or SRE_EMBEDDING=offline")
    return OpenAIEmbedder(
        httpx.Client(timeout=EMBEDDING_TIMEOUT_S, verify=trusted(settings.openai_base_url)),
        api_key=settings.openai_api_key,
        base_url=settings.openai_base_url,
        model=settings.openai_embedding_model,
    )


def build_reasoner(settings: Settings) -> Reasoner:
    """A model when there is a key or an endpoint for one; else the evidence alone."""
    if not settings.openai_api_key and not settings.openai_base_url:
        return EvidenceReasoner()
    from bot.adapters.openai import OpenAIReasoner

    return OpenAIReasoner(
        api_key=settings.openai_api_key,
        base_url=settings.openai_base_url,
        model=settings.openai_model,
        timeout_s=MODEL_TIMEOUT_S,
        max_output_tokens=MODEL_OUTPUT_TOKENS,
    )
