"""Secrets and personal data, planted wherever text can come from: none reaches the model's server, the feed or the issue."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from bot import texts
from bot.adapters.openai import OpenAIReasoner
from bot.agents.brain import think
from bot.diagnosis.case import Case
from bot.evidence import LogGroup
from bot.forge import ChangedFile
from bot.journal import DiagnosisRecord
from bot.model import Diagnosis, OutcomeKind
from tests.diagnosis.cases import NOW_S, bad_case, bad_changes, remembered
from tests.diagnosis.model_server import GOOD, says, server
from tests.diagnosis.test_brain import Ears, Notebook, StoppedClock
from tests.redteam.world import KEY, PATH, POLICIES, repository
from tests.texts import stories as s

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
SECRETS = {
    "AWS key": "AKIAIOSFODNN7EXAMPLE",
    "AWS secret": "aws_secret_access_key=wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
    "GitHub token": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "model key": "sk-proj-abcdefghijklmnopqrstuvwxyz012345",
    "JWT": JWT,
    "bearer": "Authorization: Bearer abcdef0123456789abcdef",
    "e-mail": "jane.doe@customer.example",
    "card": "4111 1111 1111 1111",
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7x\n-----END RSA PRIVATE KEY-----",
    "connection string": "postgres://app:s3cr3tpass@db.internal:5432/orders",
    "phone": "+1 415 555 0132",
    "account": "DE89 3704 0044 0532 0130 00",
}
TELLING = {"private key": "MIIEpAIBAAKCAQEA7x", "connection string": "s3cr3tpass", "bearer": "abcdef0123456789abcdef"}
TELLING |= {"AWS secret": "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"}


def planted(secret: str) -> Case:
    """In what tracing let through, in commits and patches, in a manifest's settings, and in log lines."""
    case = bad_case()
    patch = f"@@ -1,1 +1,2 @@\n a\n+# {secret}\n"
    changes = []
    for change in bad_changes():
        files = (*change.commit.files, ChangedFile("app/shop/other.py", "modified", 1, 0, patch=patch))
        changes.append(replace(change, commit=replace(change.commit, message=f"Use {secret}\n\nsee {secret}", files=files)))
    group = replace(case.evidence.errors[0], message=f"denied for {secret}")
    log = LogGroup("l1", "pricing", "error", f"no access: {secret}", f"no access: {secret}", 3, 0, NOW_S)
    return replace(case, changes=tuple(changes), evidence=replace(case.evidence, errors=(group,), logs=(log,)))


def diagnose(secret: str) -> tuple[Diagnosis, str, str]:
    """The diagnosis, all that the model's server was sent, and all that was said aloud."""
    lookups: list[dict[str, Any]] = [
        {"tool": "read_file", "path": PATH, "line": 10},
        {"tool": "read_file", "path": KEY},
        {"tool": "blame", "path": PATH, "line": 44},
        {"tool": "search_memory", "text": "pricing"},
    ]
    pages, ears = [remembered(3, "v1/x", OutcomeKind.HEALED, text=f"The owner, {secret}, was told.")], Ears()
    reader = repository(secret)
    reader.trees["f" * 40][KEY] = f"x = 1\n{secret}\n"
    with server(says({**GOOD, "lookups": lookups}), says(GOOD)) as (url, asked):
        model = OpenAIReasoner("k", url, "some-model", 5, 500)
        work = think(
            planted(secret), reasoner=model, memory=Notebook(pages), policies=POLICIES, say=ears, clock=StoppedClock(), reader=reader
        )
        diagnosis = asyncio.run(work)
        model.close()
    assert len(asked) == 2 and len(diagnosis.findings) == 4
    return diagnosis, json.dumps([q["messages"] for q in asked], ensure_ascii=False), ears.text


@pytest.mark.parametrize("name", SECRETS)
def test_a_planted_secret_goes_nowhere(name: str) -> None:
    secret, telling = SECRETS[name], TELLING.get(name, SECRETS[name])
    diagnosis, sent, said = diagnose(secret)
    assert telling not in sent and sent.count("[redacted]") >= 5
    assert telling not in said
    assert diagnosis.remedy is not None and diagnosis.confidence > 0.9
    issue = texts.diagnosis(DiagnosisRecord(1, diagnosis, "f" * 40), bad_case().evidence, POLICIES, s.LINKS)
    assert telling not in issue + texts.commit_title(diagnosis.remedy, False) + repr(diagnosis)
