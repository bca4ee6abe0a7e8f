"""What the always-on process, the gate and the jobs import stays light: ChromaDB alone costs a job in Actions seconds."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("chromadb", "langgraph", "langchain_core", "openai", "githubkit", "numpy")


def loaded_by(modules: str) -> str:
    script = f"import sys, {modules}; print([name for name in {HEAVY!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


def test_cag_signature_and_remedies_load_nothing_heavy() -> None:
    assert loaded_by("bot.agents.cag, bot.signature, bot.diagnosis.remedies, bot.agents.curator, bot.diagnosis.reasoner") == "[]"


def test_the_jobs_load_what_thinks_when_there_is_something_to_remember() -> None:
    jobs = "bot.commands.curate, bot.commands.apply, bot.commands.gate, bot.commands.audit, bot.commands.memory"
    assert loaded_by(jobs) == "['githubkit']"
