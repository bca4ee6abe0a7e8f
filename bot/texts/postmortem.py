"""The post-mortem: what an incident taught, under its issue."""

from __future__ import annotations

from bot.journal import IncidentRecord, OutcomeRecord
from bot.model import OutcomeKind, PostMortem
from bot.texts.figures import date_time, elapsed, same_day, table
from bot.texts.links import Links
from bot.texts.safe import code, fold, paragraphs, plain
from bot.texts.words import affected_words, done_words, figure, linked, objective, operation

MOMENTS_SHOWN = 40
_ENDED = {
    OutcomeKind.HEALED: "and that healed it",
    OutcomeKind.FAILED: "but that did not heal it, and the change was taken back",
    OutcomeKind.PARTIAL: "and that mended its part, but something else was left",
    OutcomeKind.INCONCLUSIVE: "but whether that healed it could not be measured",
    OutcomeKind.ERROR: "but that could not be carried out",
}


def post_mortem(pm: PostMortem, incident: IncidentRecord, outcome: OutcomeRecord | None, links: Links) -> str:
    """Told for people from cause, remedy and figures; `pm.text` is the document for the memory, without ids, and is not shown."""
    begun_s = incident.signal.first_bad_s
    first = "" if incident.signal.kind.of_service else " (first bad request)"
    rows = [["began", f"{date_time(begun_s)}{first}"]]
    rows.append(["noticed", _after(incident.signal.detected_s, begun_s)])
    if outcome and outcome.serving_s is not None:
        rows.append(["fix served from", _after(outcome.serving_s, begun_s)])
    rows.append(["measured healthy", _after(pm.healed_s, begun_s)] if pm.healed_s else ["ended", f"not healed: {pm.outcome}"])
    cag = {"cag": "CAG, from memory", "brain": "Brain"}.get(pm.answered_by, "nobody")
    if incident.evidence.affected:
        rows.append(["also unwell", affected_words(incident.evidence.affected)])
    rows.append(["cause found by", f"{cag}, confidence {pm.confidence:.3f}" if pm.answered_by else cag])
    parts = ["### Post-mortem", _story(pm, incident, outcome, links), _told(pm), table(["what", "when, or who"], rows)]
    return paragraphs([*parts, _timeline(pm, begun_s), _memory(pm)])


def _told(pm: PostMortem) -> str:
    """Impact, proof, prevention: nothing for one that was written before there were any."""
    parts = (("Impact", pm.impact), ("Proof", pm.proof), ("What would have prevented it", pm.prevention))
    return "\n".join(f"- **{name}:** {plain(words.removeprefix(f'{name}: '), 400)}" for name, words in parts if words)


def _timeline(pm: PostMortem, begun_s: float) -> str:
    if not pm.timeline:
        return ""
    rows = [[same_day(m.at_s, begun_s), plain(m.what, 120)] for m in pm.timeline[:MOMENTS_SHOWN]]
    return fold("Timeline", table(["when", "what"], rows))


def _after(at_s: float, begun_s: float) -> str:
    return f"{same_day(at_s, begun_s)}, {elapsed(at_s - begun_s)} after it began"


def _story(pm: PostMortem, incident: IncidentRecord, outcome: OutcomeRecord | None, links: Links) -> str:
    signal = incident.signal
    cause = linked(pm.cause, [pm.remedy.commit] if pm.remedy else [], links, 300)
    before, now = figure(signal, signal.before), figure(signal, signal.now)
    what = f"{operation(signal)}: {now}, before that {before}; the objective is {objective(signal)}."
    if pm.remedy is None:
        return f"{what} **{cause}** There was no remedy to try."
    after = f": {figure(signal, outcome.after)} afterwards" if outcome and outcome.after else ""
    return f"{what} **{cause}** I {done_words(pm.remedy, links)}, {_ENDED[pm.outcome]}{after}."


def _memory(pm: PostMortem) -> str:
    if not pm.signature:
        return "<sub>Not remembered for CAG: nothing was certain enough.</sub>"
    learnt = (
        "When the same kind of cause comes back, CAG answers it from here."
        if pm.outcome is OutcomeKind.HEALED
        else "CAG counts it as a failure."
    )
    return fold("What I remember", f"{learnt} Its signature:\n\n{code(_visible(pm.signature), 500)}")


def _visible(signature: str) -> str:
    """Readable parts may hold names from telemetry; blanks would end it for a reader."""
    return "".join(c if c.isprintable() and c != " " else "-" for c in signature)
