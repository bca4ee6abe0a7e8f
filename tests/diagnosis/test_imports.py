"""What the always-on process and the gate import stays light."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("chromadb", "langgraph", "langchain_core", "openai", "githubkit", "numpy")


def test_cag_signature_and_remedies_load_nothing_heavy() -> None:
    script = f"""
import sys
import bot.agents.cag, bot.signature, bot.diagnosis.remedies, bot.agents.curator, bot.diagnosis.reasoner
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
