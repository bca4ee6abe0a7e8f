"""The post-mortem: what an incident taught, under its issue."""

from __future__ import annotations

from bot.model import IncidentRecord, OutcomeRecord, PostMortem
from bot.texts.figures import compared, date_time, table
from bot.texts.links import Links
from bot.texts.safe import code, plain
from bot.texts.words import remedy_words


def post_mortem(pm: PostMortem, incident: IncidentRecord, outcome: OutcomeRecord | None, links: Links) -> str:
    healed = f"healed after {pm.healed_s - incident.signal.first_bad_s:.0f} s" if pm.healed_s else f"ended: {pm.outcome}"
    rows = [
        ["began", date_time(incident.signal.first_bad_s)],
        ["noticed", date_time(incident.signal.detected_s)],
        ["ended", f"{date_time(pm.healed_s)}, {healed}" if pm.healed_s else healed],
        ["cause", plain(pm.cause, 300)],
        ["remedy", remedy_words(pm.remedy, links) if pm.remedy else "none"],
        ["answered by", f"{pm.answered_by}, confidence {pm.confidence:.3f}"],
        ["remembered as", code(pm.signature) if pm.signature else "not remembered: nothing was certain enough"],
    ]
    parts = ["### Post-mortem", plain(pm.text, 1500), table(["", ""], rows)]
    if outcome and outcome.after:
        signal = incident.signal
        parts.append(compared(signal.objective, [("before", signal.before), ("broken", signal.now), ("after", outcome.after)]))
    return "\n\n".join(parts)
