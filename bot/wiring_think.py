"""Wires what thinks: the vector memory and the reasoner. Loaded only by the jobs that think, never by the always-on process."""

from __future__ import annotations

from bot.adapters.chroma import ChromaMemory
from bot.diagnosis.reasoner import EvidenceReasoner
from bot.ports import Reasoner
from bot.settings import Settings

MODEL_TIMEOUT_S = 60.0  # one answer; the job itself has five minutes
MODEL_OUTPUT_TOKENS = 2_000


def build_memory(settings: Settings) -> ChromaMemory:
    """Embedded under `chroma_path`, or the server at `chroma_url`."""
    return ChromaMemory(None if settings.chroma_url else settings.chroma_path, settings.chroma_url)


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
