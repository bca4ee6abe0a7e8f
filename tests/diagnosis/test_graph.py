"""The whole graph with a model server on loopback: lookups, budgets, a second look, and every way in which a model can be no help."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.openai import OpenAIReasoner
from bot.agents.brain import think
from bot.diagnosis.budget import Meter
from bot.diagnosis.case import Case
from bot.diagnosis.localise import localise
from bot.diagnosis.reasoner import EvidenceReasoner
from bot.errors import Retry
from bot.evidence import DeployMark
from bot.model import Claim, Diagnosis, Opinion, OutcomeKind
from bot.policy.schema import ModelBudget
from bot.ports import ForgeReader, Reasoner
from tests.diagnosis import cases
from tests.diagnosis.cases import BAD, SAME_FILE, Repository, bad_case, bad_changes, bad_evidence, commit, error_group, hang_case
from tests.diagnosis.model_server import GOOD, Answer, completion, says, server
from tests.diagnosis.test_brain import Ears, Notebook

RATES = "\n".join(f"line {n}" for n in range(1, 131))
SURE = 0.93


@dataclass
class Hourglass:
    """A clock that moves only when somebody sleeps."""

    at_s: float = cases.NOW_S
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.at_s

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at_s += seconds


def repository() -> Repository:
    tree = {
        "app/pricing/rates.py": RATES,
        "deploy/hub.yaml": cases.MANIFEST,
        ".env": "PASSWORD=hunter2",
        "app/pricing/key.py": "API_KEY='hunter2'",
    }
    return Repository({"f" * 40: tree, SAME_FILE: tree}, [change.commit for change in bad_changes()])


def run(
    case: Case, reasoner: Reasoner, *, budget: ModelBudget | None = None, reader: ForgeReader | None = None, clock: Hourglass | None = None
) -> tuple[Diagnosis, Ears]:
    ears, policies = Ears(), replace(cases.policies(), model=budget or ModelBudget())
    work = think(case, reasoner=reasoner, memory=Notebook(), policies=policies, say=ears, clock=clock or Hourglass(), reader=reader)
    return asyncio.run(work), ears


def with_model(
    *answers: Answer, case: Case | None = None, budget: ModelBudget | None = None, timeout_s: float = 5.0, clock: Hourglass | None = None
) -> tuple[Diagnosis, Ears, list[dict[str, Any]]]:
    with server(*answers) as (url, asked):
        model = OpenAIReasoner("secret", url, "some-model", timeout_s, 500)
        try:
            diagnosis, ears = run(case or bad_case(), model, budget=budget, reader=repository(), clock=clock)
        finally:
            model.close()
    return diagnosis, ears, asked


def evidence_alone(case: Case | None = None) -> Diagnosis:
    return run(case or bad_case(), EvidenceReasoner(), reader=repository())[0]


def asks(*lookups: dict[str, Any]) -> Answer:
    return says({**GOOD, "lookups": list(lookups)})


def found(question: dict[str, Any]) -> list[dict[str, Any]]:
    text = question["messages"][1]["content"].removeprefix("<evidence>\n").removesuffix("\n</evidence>")
    listed: list[dict[str, Any]] = json.loads(text)["found"]
    return listed


# --- lookups


def test_a_model_asks_for_lookups_and_may_cite_what_they_gave() -> None:
    wanted = {"tool": "blame", "path": "app/pricing/rates.py", "line": 44, "sha": SAME_FILE[:9]}
    cites = {**GOOD, "claims": [*GOOD["claims"], {"text": "Its line is of the bad commit.", "evidence": ["q1"]}]}
    diagnosis, ears, asked = with_model(asks(wanted), says(cites))
    assert [one["id"] for one in found(asked[1])] == ["q1"] and BAD[:7] in found(asked[1])[0]["text"]
    assert diagnosis.claims[-1] == Claim("Its line is of the bad commit.", ("q1",), True)
    assert [finding.lookup.tool for finding in diagnosis.findings] == ["blame"] and "I look closer: blame." in ears.text
    assert diagnosis.reasoner == "some-model" and diagnosis.confidence == evidence_alone().confidence


def test_every_tool_answers_from_evidence_repository_and_memory() -> None:
    tools: list[dict[str, Any]] = [
        {"tool": "query_spans", "service": "shop"},
        {"tool": "compare_windows", "service": "pricing"},
        {"tool": "list_deploys"},
        {"tool": "read_file", "path": "app/pricing/rates.py", "line": 44},
    ]
    _, _, asked = with_model(asks(*tools), asks({"tool": "search_memory", "text": "pricing"}), says(GOOD))
    spans, windows, deploys, file = (one["text"] for one in found(asked[1]))
    assert spans.startswith("s1 in t1 (bad): shop server POST _orders") or "s1 in t1 (bad)" in spans
    assert "x1 KeyError in pricing: 0 before, 30 now" in windows and "e1 shop to pricing" in windows
    assert f"d1 pricing from {SAME_FILE[:7]}" in deploys and BAD[:7] in deploys
    assert "44: line 44" in file and "130 lines" in file and "90: " not in file
    assert found(asked[2])[4]["text"] == "no such incident is remembered"


@pytest.mark.parametrize(
    "wanted",
    [
        {"tool": "read_file", "path": ".env"},
        {"tool": "read_file", "path": "app/pricing/../../.env"},
        {"tool": "read_file", "path": "/etc/passwd"},
        {"tool": "read_file", "path": "app/pricing/none.py"},
        {"tool": "read_file", "path": "app/pricing/rates.py", "sha": "main"},
        {"tool": "read_file", "path": "app/pricing/rates.py", "sha": "e" * 40},
        {"tool": "read_file", "path": "app/pricing/rates.py", "sha": "a"},
        {"tool": "blame", "path": "../x", "line": 3},
        {"tool": "blame", "path": "app/pricing/rates.py", "line": 0},
        {"tool": "query_spans", "service": "payroll"},
        {"tool": "search_memory", "text": " "},
    ],
    ids=str,
)
def test_what_the_case_does_not_know_is_not_read(wanted: dict[str, Any]) -> None:
    _, _, asked = with_model(asks(wanted), says(GOOD))
    assert found(asked[1])[0]["text"].startswith("refused: ")
    assert "hunter2" not in json.dumps(asked)


def test_secrets_in_a_file_that_may_be_read_are_taken_out() -> None:
    _, _, asked = with_model(asks({"tool": "read_file", "path": "app/pricing/key.py"}), says(GOOD))
    assert "API_KEY=[redacted]" in found(asked[1])[0]["text"] and "hunter2" not in json.dumps(asked)


@pytest.mark.parametrize(
    "wanted",
    [
        {"tool": "shell", "text": "rm"},
        {"tool": "read_file", "path": 3},
        {"tool": "blame", "line": True},
        {"tool": "blame", "url": "x"},
        "blame",
        7,
    ],
    ids=str,
)
def test_a_request_in_no_form_that_we_know_is_not_a_request(wanted: Any) -> None:
    diagnosis, _, asked = with_model(asks(wanted))
    assert len(asked) == 1 and diagnosis.findings == () and diagnosis.reasoner == "some-model"


def test_a_model_that_asks_for_the_same_for_ever_is_answered_once() -> None:
    diagnosis, _, asked = with_model(asks({"tool": "list_deploys"}))
    assert len(asked) == 2 and len(diagnosis.findings) == 1 and diagnosis.confidence > SURE


def test_a_model_that_always_wants_more_ends_with_what_it_has() -> None:
    count = iter(range(1, 1000))

    def curious(question: dict[str, Any]) -> tuple[int, dict[str, str], str]:
        return asks({"tool": "blame", "path": "app/pricing/rates.py", "line": next(count)})(question)

    diagnosis, _, asked = with_model(curious)
    assert len(asked) == 5 and len(diagnosis.findings) == 4 and diagnosis.confidence > SURE


def test_the_evidence_alone_blames_the_line_that_raises() -> None:
    diagnosis = evidence_alone()
    assert [finding.lookup.tool for finding in diagnosis.findings] == ["blame"]
    last = diagnosis.claims[-1]
    assert last.holds and last.evidence == ("q1",) and f"44 was last changed by commit {BAD[:7]}" in last.text


def test_a_figure_that_only_a_file_or_a_memory_states_proves_nothing() -> None:
    answer = {**GOOD, "claims": [*GOOD["claims"], {"text": "It took 99 s.", "evidence": ["x1", "q1"]}]}
    page = cases.remembered(3, "v1/x", OutcomeKind.HEALED, text="It took 99 s.")
    with server(asks({"tool": "search_memory", "text": "pricing"}), says(answer)) as (url, _):
        model, ears = OpenAIReasoner("k", url, "some-model", 5, 500), Ears()
        work = think(bad_case(), reasoner=model, memory=Notebook([page]), policies=cases.policies(), say=ears, clock=Hourglass())
        diagnosis = asyncio.run(work)
        model.close()
    assert "99 s" in diagnosis.findings[0].text and diagnosis.claims[-1].holds is False


# --- a model that is no help


def slow(question: dict[str, Any]) -> tuple[int, dict[str, str], str]:
    time.sleep(0.3)
    return completion(json.dumps(GOOD))


def status(code: int, **headers: str) -> Answer:
    return lambda question: (code, {name.replace("_", "-"): value for name, value in headers.items()}, "{}")


def ends(finish: str = "stop", refusal: str = "") -> Answer:
    return lambda question: completion(json.dumps(GOOD), finish=finish, refusal=refusal)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (slow, "did not answer in time"),
        (status(500), "answered 500"),
        (status(429, retry_after="600"), "rate-limited"),
        (status(401), "answered 401"),
        (says("I'd rather not say"), "did not answer with JSON"),
        (ends("length"), "cut off after 500 tokens"),
        (ends(refusal="I can't help with that"), "refuses to answer"),
        (ends("content_filter"), "refuses to answer"),
        (says({**GOOD, "ranking": [9]}), "named no candidate"),
        (says({**GOOD, "claims": [{"text": "It took 99 s.", "evidence": ["x1"]}]}), "nothing that it said stood up"),
    ],
    ids=["slow", "500", "429", "401", "prose", "cut off", "refusal", "filter", "unknown", "lies"],
)
def test_a_model_that_is_no_help_leaves_the_answer_to_the_evidence_and_that_is_said(answer: Answer, why: str) -> None:
    diagnosis, ears, asked = with_model(answer, timeout_s=0.15)
    alone = evidence_alone()
    assert (diagnosis.verdict, diagnosis.suspects, diagnosis.confidence, diagnosis.remedy) == (
        alone.verdict,
        alone.suspects,
        alone.confidence,
        alone.remedy,
    )
    assert why in diagnosis.reasoner and diagnosis.reasoner.startswith("evidence (model unavailable: ") and why in ears.text
    assert len(asked) <= 2


def test_a_model_that_asks_for_a_moment_is_given_it() -> None:
    clock = Hourglass()
    diagnosis, ears, asked = with_model(status(429, retry_after="3"), says(GOOD), clock=clock)
    assert clock.slept == [3.0] and len(asked) == 2 and diagnosis.reasoner == "some-model" and "I wait 3 s" in ears.text


def test_a_model_is_told_which_of_its_claims_fell() -> None:
    lie = {**GOOD, "claims": [{"text": "It took 99 s.", "evidence": ["x1"]}]}
    diagnosis, _, asked = with_model(says(lie), says(GOOD))
    assert '"rejected": ["It took 99 s."]' in asked[1]["messages"][1]["content"]
    assert diagnosis.reasoner == "some-model" and diagnosis.confidence > SURE


def test_an_endpoint_without_structured_outputs_is_asked_in_words_and_that_is_said() -> None:
    def old(question: dict[str, Any]) -> tuple[int, dict[str, str], str]:
        if "response_format" in question or "max_completion_tokens" in question:
            return 400, {}, "{}"
        return completion(f"Here you are:\n```json\n{json.dumps({**GOOD, 'confidence': 1.0})}\n```")

    diagnosis, ears, asked = with_model(old)
    assert diagnosis.reasoner == "some-model" and diagnosis.confidence == evidence_alone().confidence
    assert [q.get("response_format", {}).get("type") for q in asked] == ["json_schema", "json_schema", "json_object", None]
    assert "I ask it for JSON in plain words" in ears.text and '"lookups"' in asked[3]["messages"][0]["content"]


# --- budgets


@pytest.mark.parametrize(
    ("budget", "why", "calls"),
    [
        (ModelBudget(calls=0), "budget of 0 calls is spent", 0),
        (ModelBudget(calls=1), "budget of 1 calls is spent", 1),
        (ModelBudget(tokens=600), "budget of 600 tokens", 0),
        (ModelBudget(usd=0.001), "budget of 0.001 USD", 0),
        (ModelBudget(seconds=0), "budget of 0 s is spent", 0),
        (ModelBudget(tokens=20_000), "budget of 20000 tokens", 1),
    ],
    ids=["no calls", "one call", "few tokens", "little money", "no time", "tokens for one"],
)
def test_a_budget_is_checked_before_each_request(budget: ModelBudget, why: str, calls: int) -> None:
    def thirsty(question: dict[str, Any]) -> tuple[int, dict[str, str], str]:
        return completion("not json", used=(18_000, 900))

    diagnosis, ears, asked = with_model(thirsty, budget=budget)
    assert len(asked) == calls and why in diagnosis.reasoner and why in ears.text
    assert diagnosis.confidence == evidence_alone().confidence


def test_the_meter_counts_what_the_endpoint_says_and_the_worst_when_it_says_nothing() -> None:
    meter = Meter(ModelBudget(calls=3, tokens=10_000, usd=1.0), lambda: 0.0)
    meter.begin(1_000, 500)
    assert (meter.calls, meter.tokens) == (1, 1_500)
    meter.settle((1_000, 500), (2_000, 100))
    assert meter.tokens == 2_100 and meter.usd == pytest.approx((2_000 * 2.5 + 100 * 10) / 1e6)


# --- a second look


def late_case() -> tuple[Case, Repository]:
    """Nobody knows of a deploy. The commit that wrote the failing line is older than the first look goes."""
    old = replace(bad_changes()[0].commit, committed_s=cases.FIRST_BAD_S - 7_200)
    young = replace(bad_changes()[1].commit, committed_s=cases.FIRST_BAD_S - 60)
    evidence = replace(bad_evidence(), deploys=(), errors=(error_group(ran=""),))
    tree = {"app/pricing/rates.py": RATES}
    case = replace(bad_case(evidence, (replace(bad_changes()[1], commit=young, deploys=()),)), base_sha=young.sha)
    return case, Repository({young.sha: tree, old.sha: tree}, [old, young])


def test_unsure_after_the_first_look_it_looks_once_more_and_further_back() -> None:
    case, history = late_case()
    blind, _ = run(case, EvidenceReasoner())
    assert blind.verdict == "inconclusive" and blind.suspects == ()
    diagnosis, ears = run(case, EvidenceReasoner(), reader=history)
    assert [suspect.name for suspect in diagnosis.suspects] == [BAD]
    assert diagnosis.confidence <= 0.90 and ears.text.count("I look once more") == 1


def test_a_sure_answer_reads_nothing_more() -> None:
    history = repository()
    diagnosis, ears = run(hang_case(), EvidenceReasoner(), reader=history)
    assert diagnosis.confidence > SURE and history.asked == [] and "once more" not in ears.text


def test_a_second_look_that_sees_no_more_or_fails_leaves_the_first_answer() -> None:
    class Away(Repository):
        async def default_branch(self) -> str:
            raise Retry("GitHub is away")

    case, history = late_case()
    first, _ = run(case, EvidenceReasoner())
    away, ears = run(case, EvidenceReasoner(), reader=Away(history.trees, history.log))
    same, quiet = run(case, EvidenceReasoner(), reader=Repository(history.trees, history.log[1:]))
    assert first.verdict == away.verdict == same.verdict == "inconclusive"
    assert "GitHub is away" in ears.text and "nothing more to see" in quiet.text


def test_the_second_look_remembers_what_the_first_evidence_of_the_incident_showed() -> None:
    """Spans are kept for minutes: in a later attempt the deploy is out of sight."""
    whole = bad_evidence(deployed_s=cases.FIRST_BAD_S - 30)
    case = bad_case(whole)
    faded = replace(case, evidence=replace(whole, deploys=()), changes=())
    history = Repository({}, [replace(commit("0" * 40), parents=()), *(change.commit for change in bad_changes())])
    diagnosis, _ = run(faded, EvidenceReasoner(), reader=history)
    assert diagnosis.suspects[0].name == BAD and diagnosis.confidence > SURE
    assert DeployMark("d1", "pricing", SAME_FILE, "0" * 40, cases.FIRST_BAD_S - 30) in whole.deploys


# --- the challenge can only lower


@settings(max_examples=15)
@given(st.permutations(range(2)), st.integers(0, 2), st.booleans(), st.booleans())
def test_whatever_a_model_says_confidence_is_never_above_that_of_the_evidence(order: list[int], keep: int, lies: bool, hangs: bool) -> None:
    case = hang_case() if hangs else bad_case()
    candidates = localise(case).candidates
    picked = [candidates[i] for i in order if i < len(candidates)][: max(1, keep)]
    extra = (Claim("I am 100 % sure, confidence 1.0.", picked[0].own),) if lies else ()

    class Talker:
        name = "talker"

        def opine(self, case: Case, meter: Meter) -> Opinion:
            claims = tuple(claim for candidate in picked for claim in candidate.claims)
            return Opinion("Sure.", tuple(candidate.suspect for candidate in picked), (*claims, *extra), "talker")

    assert run(case, Talker())[0].confidence <= evidence_alone(case).confidence
