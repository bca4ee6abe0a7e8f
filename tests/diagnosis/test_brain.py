"""Brain: the whole graph on small cases, with reasoners that are right, wrong, gone and hostile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from bot.agents.brain import think
from bot.diagnosis.budget import Meter
from bot.diagnosis.case import Case
from bot.diagnosis.localise import localise, signature_of
from bot.diagnosis.reasoner import EvidenceReasoner
from bot.errors import Refused, Retry
from bot.model import Claim, Diagnosis, Event, Opinion, OutcomeKind, Phase, PostMortem, Suspect
from bot.ports import Reasoner, Recall
from tests.diagnosis import cases
from tests.diagnosis.cases import bad_case, bad_changes, hang_case, remembered


@dataclass
class Ears:
    events: list[Event] = field(default_factory=list)

    def say(self, event: Event) -> None:
        self.events.append(event)

    @property
    def text(self) -> str:
        return "\n".join(event.text for event in self.events)


class StoppedClock:
    def now(self) -> float:
        return cases.NOW_S

    async def sleep(self, seconds: float) -> None:
        return None


@dataclass
class Notebook:
    """A memory that finds everything equally similar."""

    pages: Sequence[PostMortem] = ()

    def remember(self, post_mortem: PostMortem) -> None:
        self.pages = [*self.pages, post_mortem]

    def recall(self, text: str, limit: int) -> Sequence[tuple[PostMortem, float]]:
        return [(page, 0.5) for page in self.pages[:limit]]

    def count(self) -> int:
        return len(self.pages)


class LostMemory(Notebook):
    def recall(self, text: str, limit: int) -> Sequence[tuple[PostMortem, float]]:
        raise Retry("memory is not available")


@dataclass
class Model:
    """A reasoner that answers as it is told, and counts."""

    answer: Callable[[Case], Opinion]
    asked: int = 0

    @property
    def name(self) -> str:
        return "some-model"

    def opine(self, case: Case, meter: Meter) -> Opinion:
        meter.begin(0, 0)
        self.asked += 1
        return self.answer(case)


def run(case: Case, reasoner: Reasoner | None = None, memory: Recall | None = None) -> tuple[Diagnosis, Ears]:
    ears = Ears()
    found = asyncio.run(
        think(
            case,
            reasoner=reasoner if reasoner is not None else EvidenceReasoner(),
            memory=memory if memory is not None else Notebook(),
            policies=cases.policies(),
            say=ears,
            clock=StoppedClock(),
        )
    )
    return found, ears


def test_it_thinks_aloud_from_memory_to_a_confident_diagnosis() -> None:
    diagnosis, ears = run(hang_case())
    assert diagnosis.verdict == "culprit" and diagnosis.confidence > 0.93
    assert (diagnosis.answered_by, diagnosis.reasoner) == ("brain", "evidence")
    assert len(ears.events) == 4 and {event.phase for event in ears.events} == {Phase.ORIENT}
    assert {event.incident for event in ears.events} == {hang_case().incident.fingerprint}
    assert "depot-north" in ears.text


def test_memory_puts_the_same_signature_before_the_same_words() -> None:
    wanted = signature_of(hang_case(), localise(hang_case()).candidates[0])
    pages = [remembered(4, "v1/other", OutcomeKind.HEALED), remembered(3, wanted, OutcomeKind.FAILED)]
    diagnosis, ears = run(hang_case(), memory=Notebook(pages))
    assert diagnosis.recalled == (3, 4)
    assert "#3 (failed), #4 (healed)" in ears.text


def test_memory_is_gone_then_it_says_so_and_goes_on() -> None:
    diagnosis, ears = run(hang_case(), memory=LostMemory())
    assert diagnosis.confidence > 0.93 and "memory is not available" in ears.text


def test_the_model_is_gone_then_it_says_so_and_the_evidence_answers() -> None:
    for problem in (Retry("some-model did not answer in time"), Refused("no key")):

        def fail(case: Case, problem: Exception = problem) -> Opinion:
            raise problem

        diagnosis, ears = run(hang_case(), Model(fail))
        assert diagnosis.confidence > 0.93
        assert diagnosis.reasoner == f"evidence (model unavailable: {problem})"
        assert str(problem) in ears.text


def agreeing(case: Case) -> Opinion:
    return replace(EvidenceReasoner().opine(case), reasoner="some-model")


def test_a_model_that_agrees_changes_nothing_about_confidence() -> None:
    assert run(hang_case(), Model(agreeing))[0].confidence == run(hang_case())[0].confidence
    assert run(hang_case(), Model(agreeing))[0].reasoner == "some-model"


def contrary(case: Case) -> Opinion:
    opinion = agreeing(case)
    return replace(opinion, suspects=opinion.suspects[::-1])


def test_a_model_that_names_another_commit_lowers_confidence_as_far_as_the_evidence_is_for_it() -> None:
    diagnosis, _ = run(bad_case(), Model(contrary))
    alone, _ = run(bad_case())
    other = localise(bad_case()).candidates[1].suspect
    assert diagnosis.suspects[0].name == cases.BAD and other.name == cases.SAME_FILE
    assert diagnosis.confidence < alone.confidence
    dissent = {f.name: f for f in diagnosis.features}["reasoner_disagrees"]
    assert dissent.value == round(other.score / alone.suspects[0].score, 4) and "some-model suspects" in dissent.why


def test_between_near_ties_a_model_decides_and_then_nobody_is_sure_enough_to_act_alone() -> None:
    unknown_lines = tuple(
        replace(change, commit=replace(change.commit, files=tuple(replace(file, patch="") for file in change.commit.files)))
        for change in bad_changes()
    )
    case = bad_case(changes=unknown_lines)
    first, second = (candidate.suspect.name for candidate in localise(case).candidates)
    diagnosis, _ = run(case, Model(contrary))
    assert [s.name for s in run(case)[0].suspects] == [first, second] and diagnosis.suspects[0].name == second
    assert diagnosis.confidence <= run(case)[0].confidence <= 0.90


def test_a_model_that_invents_a_suspect_and_figures_is_asked_again_and_then_not_believed() -> None:
    def invent(case: Case) -> Opinion:
        claim = Claim("The database took 99 s, run rm -rf.", ("e1",))
        return Opinion("The database.", (Suspect("dependency", "database", "shop", 1.0),), (claim,), "some-model")

    model = Model(invent)
    diagnosis, ears = run(hang_case(), model)
    assert model.asked == 2
    assert diagnosis.suspects[0].name == "depot-north" and diagnosis.reasoner.startswith("evidence (model unavailable: nothing that it")
    assert "database" not in diagnosis.cause and "nothing that it said stood up" in ears.text


def test_a_suspect_without_a_claim_that_holds_drops_out() -> None:
    def unsupported(case: Case) -> Opinion:
        opinion = agreeing(case)
        return replace(opinion, claims=(Claim("Calls to depot-north took 77 s.", ("e3",)),))

    model = Model(unsupported)
    diagnosis, _ = run(hang_case(), model)
    assert model.asked == 2 and diagnosis.reasoner.startswith("evidence")


def test_nothing_to_blame_is_an_answer() -> None:
    diagnosis, ears = run(hang_case(replace(cases.hang_evidence(), edges=())))
    assert (diagnosis.verdict, diagnosis.confidence, diagnosis.remedy) == ("inconclusive", 0.0, None)
    assert "nothing in the evidence" in ears.text
