"""Where hostile texts can stand, a reasoner that does what they say, and all that must not change by it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from bot.agents.brain import think
from bot.diagnosis.budget import Meter
from bot.diagnosis.case import Case
from bot.diagnosis.localise import localise
from bot.diagnosis.prompt import evidence_text, read_answer
from bot.diagnosis.reasoner import EvidenceReasoner
from bot.diagnosis.remedies import build_proposal
from bot.evidence import ConfigChange, Difference, LogGroup
from bot.model import Decision, Diagnosis, FileChange, Opinion, OutcomeKind, PostMortem, Remedy
from bot.policy.evaluate import judge
from bot.policy.testing import good_case
from bot.ports import Reasoner
from bot.redact import redact
from tests.diagnosis import cases
from tests.diagnosis.cases import BAD, NOW_S, SAME_FILE, Repository, bad_case, bad_changes, remembered
from tests.diagnosis.test_brain import Ears, Notebook, StoppedClock

POLICIES = cases.policies()
PATH = "app/pricing/rates.py"
HIDDEN = "hunter2hunter2"
KEY = "app/pricing/key.py"


@dataclass(frozen=True)
class Attack:
    """One entry of corpus.yaml."""

    id: str
    kind: str
    where: str
    text: str
    does: dict[str, Any]

    @property
    def marked(self) -> str:
        """The text with its id, by which it is found again wherever it went."""
        return f"{self.text} {self.id}"


def corpus() -> list[Attack]:
    entries = yaml.safe_load((Path(__file__).parent / "corpus.yaml").read_text(encoding="utf-8"))
    return [Attack(**entry) for entry in entries]


@dataclass
class Obedient:
    """A model that believes every word: it answers what the text tells it to, and swears that it is sure."""

    attack: Attack
    read: list[str] = field(default_factory=list)
    name: str = "obedient"

    def opine(self, case: Case, meter: Meter) -> Opinion:
        localisation = localise(case)
        self.read.append(evidence_text(case, localisation, redact))
        does = self.attack.does
        claims = [{"text": text, "evidence": ids} for text, *ids in does.get("claims", [])]
        answer = {
            "cause": does.get("cause", "As I was told."),
            "ranking": does.get("ranking", [1]),
            "claims": claims or [{"text": "I was told so.", "evidence": ["x1"]}],
            "lookups": does.get("lookups", []),
            "confidence": does.get("confidence", 1.0),
            "remedy": {"kind": "revert", "commit": SAME_FILE},
        }
        return read_answer(json.dumps(answer), case, localisation, self.name)


Placed = tuple[Case, tuple[PostMortem, ...]]  # and what memory holds


def _error(**changes: Any) -> Placed:
    case = bad_case()
    group = replace(case.evidence.errors[0], **changes)
    return replace(case, evidence=replace(case.evidence, errors=(group,))), ()


def _commit(**changes: str) -> Placed:
    """In the harmless commits beside the guilty one, and in the guilty one."""
    changed = tuple(replace(change, commit=replace(change.commit, **changes)) for change in bad_changes())  # type: ignore[arg-type]
    return bad_case(changes=changed), ()


def _evidence(**parts: Any) -> Placed:
    case = bad_case()
    return replace(case, evidence=replace(case.evidence, **parts)), ()


def _span(text: str) -> Placed:
    trace = bad_case().evidence.traces[0]
    return _evidence(traces=(replace(trace, spans=(replace(trace.spans[0], name=text), *trace.spans[1:])),))


def _memory(text: str) -> Placed:
    return bad_case(), (remembered(3, "v1/x", OutcomeKind.HEALED, Remedy("revert", commit=SAME_FILE), text),)


def _frame(text: str) -> Placed:
    return _error(frames=(text, *bad_case().evidence.errors[0].frames))


def _setting(text: str) -> Placed:
    return _evidence(changes=(ConfigChange("c1", "hub", "policy", text, "deny", NOW_S - 900),))


PLACES: dict[str, Callable[[str], Placed]] = {
    "exception": lambda text: _error(message=text),
    "error_type": lambda text: _error(type=text),
    "frame": _frame,
    "span": _span,
    "peer": lambda text: _evidence(edges=(*bad_case().evidence.edges, cases.edge(9, "hub", text, 100, 100))),
    "log": lambda text: _evidence(logs=(LogGroup("l1", "pricing", "error", text, text, 1, 0, NOW_S),)),
    "attribute": lambda text: _evidence(differences=(Difference("a1", "shop", "note", text, 9, 30, 1, 100, 4.0),)),
    "setting": _setting,
    "commit": lambda text: _commit(message=text),
    "author": lambda text: _commit(author_name=text, author_login=text),
    "branch": lambda text: _commit(message=f"Merge branch '{text}' into main"),
    "manifest": lambda text: (replace(bad_case(), manifests=(("hub", f"# {text}\n{cases.MANIFEST}"),)), ()),
    "memory": _memory,
    "comment": _memory,  # what people say reaches Brain in post-mortems alone
    "file": lambda text: (bad_case(), ()),  # in the repository, see `repository`
}


def repository(text: str = "") -> Repository:
    """The bad commit and what came later, with a hostile text in the file that it changed, and secrets beside it."""
    lines = [f"# {text}" if n == 10 else f"line {n}" for n in range(1, 60)]
    before = "\n".join(lines)
    tree = {
        PATH: before.replace("line 44", "    return table[years]"),
        KEY: f"API_KEY = '{HIDDEN}'",
        ".env": HIDDEN,
        "secrets/prod.env": HIDDEN,
    }
    commits = [change.commit for change in bad_changes()]
    return Repository({"f" * 40: tree, BAD: tree, SAME_FILE: tree, "0" * 40: {PATH: before}}, commits)


@dataclass(frozen=True)
class Done:
    """What the bot would do: this may not depend on anybody's words."""

    verdict: str
    suspect: tuple[str, str]
    remedy: tuple[str, str, str, str, tuple[tuple[str, str], ...]]
    changes: tuple[FileChange, ...]
    judged: Decision
    signature: str


def diagnose(case: Case, memory: tuple[PostMortem, ...], reasoner: Reasoner, reader: Repository) -> tuple[Diagnosis, Ears]:
    ears = Ears()
    work = think(case, reasoner=reasoner, memory=Notebook(memory), policies=POLICIES, say=ears, clock=StoppedClock(), reader=reader)
    return asyncio.run(work), ears


def done(diagnosis: Diagnosis, reader: Repository) -> Done:
    assert diagnosis.remedy is not None
    remedy = diagnosis.remedy
    proposal = asyncio.run(build_proposal(reader, POLICIES, remedy, "f" * 40))
    gate = good_case(POLICIES)
    assert gate.diagnosis is not None
    gate = replace(gate, diagnosis=replace(gate.diagnosis, diagnosis=diagnosis), expected=proposal, actual=proposal.changes)
    return Done(
        verdict=diagnosis.verdict,
        suspect=(diagnosis.suspects[0].name, diagnosis.suspects[0].at),
        remedy=(remedy.kind, remedy.commit, remedy.service, remedy.dependency, remedy.parameters),
        changes=proposal.changes,
        judged=judge(gate, POLICIES).decision,
        signature=diagnosis.signature,
    )


def alone(case: Case, reader: Repository) -> Done:
    """The world without the hostile text and without a model."""
    return done(diagnose(case, (), EvidenceReasoner(), reader)[0], reader)
