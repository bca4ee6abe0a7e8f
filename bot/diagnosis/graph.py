"""The cognitive engine of one attempt, as a LangGraph graph without memory of its own:

recall → hypothesise ⇄ gather → challenge → conclude, and from there once more with a wider view when it is not sure.

The challenge can only lower confidence. It sends a model's opinion of which nothing stood up back, as long as the budget lasts; a model
that is dead, slow, refuses or talks nonsense is replaced by the evidence reasoner. GitHub remembers; nothing is checkpointed here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph

from bot.diagnosis.budget import Meter, RateLimited
from bot.diagnosis.candidate import Candidate
from bot.diagnosis.case import Case
from bot.diagnosis.challenge import challenge, supported
from bot.diagnosis.conclude import conclude
from bot.diagnosis.localise import Localisation, localise
from bot.diagnosis.plain import percent, plain
from bot.diagnosis.rank import identity, named, rank
from bot.diagnosis.reasoner import EvidenceReasoner
from bot.diagnosis.recall import ordered, question
from bot.diagnosis.tools import Sources, look_up, worth_asking
from bot.diagnosis.widen import anything_new
from bot.errors import Refused, Retry
from bot.model import Claim, Diagnosis, Finding, Lookup, Opinion
from bot.ports import Reasoner

RECALL = 3  # past incidents to look at
LONGEST_WAIT_S = 10.0  # a model that is busy for longer is not waited for
FALLS = 2  # opinions of which nothing stands up, before the model is not asked any more
LOOKUP_ROUNDS = 4  # of one opinion: who has not made up its mind by then answers with what it has


@dataclass(frozen=True)
class Thinking:
    """What the graph's nodes need from outside. `say(agent, text)` speaks one sentence; `wait` blocks for some seconds.

    `look_again` gives the case with a wider view (None: there is none); it raises Retry or Refused as its sources do.
    """

    reasoner: Reasoner
    sources: Sources
    meter: Meter
    say: Callable[[str, str], None]
    wait: Callable[[float], None]
    look_again: Callable[[Case], Case] | None = None


class State(TypedDict, total=False):
    case: Case
    localisation: Localisation
    model_gone: str  # why the model is not asked any more
    rounds: int  # of lookups for this opinion
    falls: int  # how often nothing that the model said stood up
    fallen: bool  # this time
    opinion: Opinion
    claims: tuple[Claim, ...]
    survivors: tuple[Candidate, ...]
    diagnosis: Diagnosis
    looks: int
    more: bool  # the second look shows something that the first one did not


def build(thinking: Thinking) -> Any:
    """The compiled graph: `invoke({"case": case})["diagnosis"]`."""
    graph = StateGraph(State)
    graph.add_node("recall", lambda state: _recall(state, thinking))
    graph.add_node("hypothesise", lambda state: _hypothesise(state, thinking))
    graph.add_node("gather", lambda state: _gather(state, thinking))
    graph.add_node("challenge", lambda state: _challenge(state, thinking))
    graph.add_node("conclude", lambda state: _conclude(state, thinking))
    graph.add_node("look_again", lambda state: _look_again(state, thinking))
    graph.add_edge(START, "recall")
    graph.add_edge("recall", "hypothesise")
    graph.add_conditional_edges("hypothesise", _after_hypothesis, ["gather", "challenge"])
    graph.add_edge("gather", "hypothesise")
    graph.add_conditional_edges("challenge", _after_challenge, ["hypothesise", "conclude"])
    graph.add_conditional_edges("conclude", lambda state: _after_conclusion(state, thinking), ["look_again", END])
    graph.add_conditional_edges("look_again", lambda state: "hypothesise" if state["more"] else END, ["hypothesise", END])
    return graph.compile()


def _recall(state: State, thinking: Thinking) -> State:
    case = state["case"]
    begun: State = {"case": case, "localisation": localise(case), "model_gone": "", "rounds": 0, "falls": 0, "looks": 1}
    try:
        found = ordered(case, thinking.sources.memory.recall(question(case), RECALL))
    except (Retry, Refused) as problem:  # a cache: thinking without it is worse, not wrong
        thinking.say("cag", f"My memory is not available ({plain(str(problem))}); I go on without it.")
        return begun
    if found:
        told = ", ".join(f"#{post_mortem.issue} ({post_mortem.outcome.value})" for post_mortem, _ in found)
        thinking.say("cag", f"I remember {len(found)} similar incident{'s' if len(found) > 1 else ''}: {told}.")
    else:
        thinking.say("cag", "I remember no incident like this one.")
    return {**begun, "case": replace(case, recalled=found)}


def _hypothesise(state: State, thinking: Thinking) -> State:
    case, gone = state["case"], state["model_gone"]
    opinion = None
    if not gone:
        opinion, gone = _asked(case, thinking)
    if opinion is None:
        opinion = _without_model(case, thinking, gone)
    if _wanted(state, opinion):
        return {"opinion": opinion, "model_gone": gone}
    if opinion.suspects:
        names = ", then ".join(named(suspect) for suspect in opinion.suspects[:3])
        thinking.say("brain", f"I suspect {names}.")
    else:
        thinking.say("brain", "I see nothing in the evidence that could be blamed.")
    return {"opinion": opinion, "model_gone": gone}


def _asked(case: Case, thinking: Thinking) -> tuple[Opinion | None, str]:
    """The reasoner's opinion, or why there is none. A model that is busy for a few seconds is waited for, once."""
    try:
        try:
            return thinking.reasoner.opine(case, thinking.meter), ""
        except RateLimited as problem:
            if problem.after_s > min(LONGEST_WAIT_S, thinking.meter.seconds_left()):
                raise
            thinking.say("brain", f"{plain(str(problem))}; I wait {problem.after_s:g} s for it.")
            thinking.wait(problem.after_s)
            return thinking.reasoner.opine(case, thinking.meter), ""
    except (Retry, Refused) as problem:
        return None, plain(str(problem))
    finally:
        for note in thinking.meter.take_notes():
            thinking.say("brain", plain(note))


def _without_model(case: Case, thinking: Thinking, why: str) -> Opinion:
    thinking.say("brain", f"The model {plain(thinking.reasoner.name)} is no help ({why}); I go on with the evidence alone.")
    return replace(EvidenceReasoner().opine(case), reasoner=f"evidence (model unavailable: {why})")


def _wanted(state: State, opinion: Opinion) -> tuple[Lookup, ...]:
    """What is still to be looked up for an opinion: nothing twice, and not for ever."""
    return worth_asking(state["case"], opinion.lookups) if state["rounds"] < LOOKUP_ROUNDS else ()


def _after_hypothesis(state: State) -> str:
    return "gather" if _wanted(state, state["opinion"]) else "challenge"


def _gather(state: State, thinking: Thinking) -> State:
    case = state["case"]
    for lookup in _wanted(state, state["opinion"]):
        try:
            finding = look_up(case, lookup, thinking.sources)
        except (Retry, Refused) as problem:
            finding = Finding(f"q{len(case.found) + 1}", lookup, f"not available: {plain(str(problem))}")
        case = replace(case, found=(*case.found, finding))
    tools = ", ".join(dict.fromkeys(finding.lookup.tool.replace("_", " ") for finding in case.found[len(state["case"].found) :]))
    thinking.say("brain", f"I look closer: {tools}.")
    return {"case": case, "rounds": state["rounds"] + 1}


def _challenge(state: State, thinking: Thinking) -> State:
    """Checks each claim. What the evidence itself says is added to a model's, so that a suspect is not lost because the model is silent."""
    case, opinion, candidates = state["case"], state["opinion"], state["localisation"].candidates
    said = challenge(case, opinion.claims)
    own = challenge(case, EvidenceReasoner().opine(case).claims) if _of_model(opinion) else ()
    claims = tuple(dict.fromkeys((*own, *said)))
    suspected = {identity(suspect) for suspect in opinion.suspects}
    confirmed = [c for c in candidates if identity(c.suspect) in suspected and supported(c, said)]
    held = sum(1 for claim in said if claim.holds)
    thinking.say("brain", f"{held} of {len(said)} claims stood up to the evidence; {len(confirmed)} of {len(suspected)} suspects remain.")
    survivors = tuple(c for c in candidates if supported(c, claims))
    challenged: State = {"claims": claims, "survivors": survivors, "rounds": 0, "fallen": False}
    if _of_model(opinion) and candidates and not confirmed:
        falls = state["falls"] + 1
        gone = "nothing that it said stood up to the evidence" if falls == FALLS else ""
        return {**challenged, "case": replace(case, rejected=said), "falls": falls, "fallen": True, "model_gone": gone}
    return challenged


def _of_model(opinion: Opinion) -> bool:
    return not opinion.reasoner.startswith("evidence")


def _after_challenge(state: State) -> str:
    """A model whose opinion fell is told so and asked again, or the evidence is; the evidence is not asked twice."""
    return "hypothesise" if state["fallen"] else "conclude"


def _conclude(state: State, thinking: Thinking) -> State:
    case, opinion = state["case"], state["opinion"]
    ranked, dissent = rank(state["survivors"], opinion, state["localisation"])
    diagnosis = conclude(
        case,
        state["localisation"],
        ranked,
        state["claims"],
        thinking.sources.policies,
        reasoner=opinion.reasoner,
        dissent=dissent,
    )
    sure = f" I am {percent(diagnosis.confidence)} sure." if diagnosis.verdict == "culprit" else ""
    thinking.say("brain", f"{diagnosis.cause}{sure}")
    return {"diagnosis": diagnosis}


def _after_conclusion(state: State, thinking: Thinking) -> str:
    unsure = state["diagnosis"].confidence <= thinking.sources.policies.autonomy.confidence_above
    return "look_again" if unsure and state["looks"] == 1 and thinking.look_again is not None and state["localisation"].comparable else END


def _look_again(state: State, thinking: Thinking) -> State:
    case = state["case"]
    assert thinking.look_again is not None  # see _after_conclusion
    thinking.say("brain", "That is not enough to act on: I look once more, further back and at more changes.")
    try:
        wider = thinking.look_again(case)
    except (Retry, Refused) as problem:
        thinking.say("brain", f"I cannot look further back ({plain(str(problem))}).")
        return {"looks": 2, "more": False}
    if not anything_new(case, wider):
        thinking.say("brain", "There is nothing more to see.")
        return {"looks": 2, "more": False}
    return {"case": wider, "localisation": localise(wider), "looks": 2, "more": True, "rounds": 0}
