"""The cognitive engine of one attempt: recall → investigate → challenge → weigh, as a LangGraph graph without memory of its own.

The challenge sends an opinion of which nothing stood up back to the investigation, as long as the budget of model calls lasts. GitHub
remembers; nothing is checkpointed here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph

from bot.diagnosis.candidate import Candidate
from bot.diagnosis.case import Case
from bot.diagnosis.challenge import challenge, supported
from bot.diagnosis.conclude import conclude
from bot.diagnosis.localise import Localisation, localise
from bot.diagnosis.plain import percent, plain
from bot.diagnosis.reasoner import EvidenceReasoner
from bot.diagnosis.recall import ordered, question
from bot.errors import Refused, Retry
from bot.model import Claim, Diagnosis, Opinion
from bot.policy.schema import Policies
from bot.ports import Reasoner, Recall

RECALL = 3  # past incidents to look at
NEAR_TIE = 0.8  # runner-up's share of the first score from which on a reasoner's ranking decides


@dataclass(frozen=True)
class Thinking:
    """What the graph's nodes need from outside. `say(agent, text)` speaks one sentence; `model_calls` is the budget."""

    reasoner: Reasoner
    memory: Recall
    policies: Policies
    say: Callable[[str, str], None]
    model_calls: int


class State(TypedDict, total=False):
    case: Case
    localisation: Localisation
    calls: int
    model_gone: str  # why the model is not asked any more
    opinion: Opinion
    claims: tuple[Claim, ...]
    survivors: tuple[Candidate, ...]
    diagnosis: Diagnosis


def build(thinking: Thinking) -> Any:
    """The compiled graph: `invoke({"case": case})["diagnosis"]`."""
    graph = StateGraph(State)
    graph.add_node("recall", lambda state: _recall(state, thinking))
    graph.add_node("investigate", lambda state: _investigate(state, thinking))
    graph.add_node("challenge", lambda state: _challenge(state, thinking))
    graph.add_node("weigh", lambda state: _weigh(state, thinking))
    graph.add_edge(START, "recall")
    graph.add_edge("recall", "investigate")
    graph.add_edge("investigate", "challenge")
    graph.add_conditional_edges("challenge", _after_challenge, ["investigate", "weigh"])
    graph.add_edge("weigh", END)
    return graph.compile()


def _recall(state: State, thinking: Thinking) -> State:
    case = state["case"]
    try:
        found = ordered(case, thinking.memory.recall(question(case), RECALL))
    except (Retry, Refused) as problem:  # a cache: thinking without it is worse, not wrong
        thinking.say("cag", f"My memory is not available ({plain(str(problem))}); I go on without it.")
        return {"localisation": localise(case), "calls": 0, "model_gone": ""}
    if found:
        named = ", ".join(f"#{post_mortem.issue} ({post_mortem.outcome.value})" for post_mortem, _ in found)
        thinking.say("cag", f"I remember {len(found)} similar incident{'s' if len(found) > 1 else ''}: {named}.")
    else:
        thinking.say("cag", "I remember no incident like this one.")
    return {"case": replace(case, recalled=found), "localisation": localise(case), "calls": 0, "model_gone": ""}


def _investigate(state: State, thinking: Thinking) -> State:
    case, calls, gone = state["case"], state["calls"], state["model_gone"]
    if not gone and calls >= thinking.model_calls:
        gone = f"its budget of {thinking.model_calls} calls is spent"
    if gone:
        opinion = _without_model(case, thinking, gone)
    else:
        try:
            opinion = thinking.reasoner.opine(case)
            calls += 1
        except (Retry, Refused) as problem:
            gone = plain(str(problem))
            opinion = _without_model(case, thinking, gone)
    if opinion.suspects:
        names = ", then ".join(_named(suspect.kind, suspect.name) for suspect in opinion.suspects[:3])
        thinking.say("brain", f"I suspect {names}.")
    else:
        thinking.say("brain", "I see nothing in the evidence that could be blamed.")
    return {"opinion": opinion, "calls": calls, "model_gone": gone}


def _without_model(case: Case, thinking: Thinking, why: str) -> Opinion:
    thinking.say("brain", f"The model {plain(thinking.reasoner.name)} is no help ({why}); I go on with the evidence alone.")
    return replace(EvidenceReasoner().opine(case), reasoner=f"evidence (model unavailable: {why})")


def _challenge(state: State, thinking: Thinking) -> State:
    case, opinion = state["case"], state["opinion"]
    claims = challenge(case, opinion.claims)
    named = {(suspect.kind, suspect.name, suspect.at) for suspect in opinion.suspects}
    survivors = tuple(
        candidate
        for candidate in state["localisation"].candidates
        if (candidate.suspect.kind, candidate.suspect.name, candidate.suspect.at) in named and supported(candidate, claims)
    )
    held = sum(1 for claim in claims if claim.holds)
    thinking.say("brain", f"{held} of {len(claims)} claims stood up to the evidence; {len(survivors)} of {len(named)} suspects remain.")
    return {"claims": claims, "survivors": survivors}


def _after_challenge(state: State) -> str:
    """Once more when a model's opinion fell completely although the evidence shows candidates; the evidence is not asked twice."""
    of_model = not state["opinion"].reasoner.startswith("evidence")
    return "investigate" if of_model and not state["survivors"] and state["localisation"].candidates else "weigh"


def _weigh(state: State, thinking: Thinking) -> State:
    case, opinion = state["case"], state["opinion"]
    ranked, disagreement = rank(state["survivors"], opinion, state["localisation"])
    diagnosis = conclude(
        case,
        state["localisation"],
        ranked,
        state["claims"],
        thinking.policies,
        reasoner=opinion.reasoner,
        disagreement=disagreement,
    )
    sure = f" I am {percent(diagnosis.confidence)} sure." if diagnosis.verdict == "culprit" else ""
    thinking.say("brain", f"{diagnosis.cause}{sure}")
    return {"diagnosis": diagnosis}


def rank(survivors: tuple[Candidate, ...], opinion: Opinion, localisation: Localisation) -> tuple[tuple[Candidate, ...], str]:
    """The evidence's order; between near ties the reasoner's. And why the reasoner disagrees with the first one, "" if it does not."""
    if not survivors:
        return (), ""
    places = {(s.kind, s.name, s.at): place for place, s in reversed(list(enumerate(opinion.suspects)))}
    best = survivors[0].suspect.score

    def order(candidate: Candidate) -> tuple[bool, float, float]:
        suspect, tied = candidate.suspect, candidate.suspect.score >= NEAR_TIE * best
        place = places.get((suspect.kind, suspect.name, suspect.at), len(places))
        return (not tied, place if tied else 0, -suspect.score)

    ranked = tuple(sorted(survivors, key=order))
    first, named, shown = ranked[0].suspect, opinion.suspects[0], localisation.candidates[0].suspect
    if (first.kind, first.name, first.at) != (named.kind, named.name, named.at):
        return ranked, f"{plain(opinion.reasoner)} suspects {_named(named.kind, named.name)} first"
    if (first.kind, first.name, first.at) != (shown.kind, shown.name, shown.at):
        return ranked, f"the evidence points at {_named(shown.kind, shown.name)} first"
    return ranked, ""


def _named(kind: str, name: str) -> str:
    return f"commit {plain(name)[:7]}" if kind == "change" else plain(name)
