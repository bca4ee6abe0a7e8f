// Live thoughts: newest first, one colour an agent, filtered and paused by the reader.
"use strict";

const Thoughts = (() => {
  const { byId, element, text, number, oneOf } = Dom;
  const AGENTS = ["scout", "cag", "brain", "guardrail", "fixer", "verifier", "curator", "jules", "human", "loop"];
  const PHASES = ["OBSERVE", "ORIENT", "DECIDE", "ACT", "VERIFY", "LEARN"];
  const NAMES = { cag: "CAG" };
  const KEEP = 500;
  const hidden = new Set();
  let waiting = []; // what came while paused, oldest first
  let paused = false;

  const nameOf = (agent) => NAMES[agent] || agent[0].toUpperCase() + agent.slice(1);

  // A commit id is known by its beginning.
  const short = (value) => (/^[0-9a-f]{40}$/.test(value) ? value.slice(0, 7) : value.slice(0, 160));

  function details(data) {
    const pairs = Object.entries(Dom.record(data)).filter(([, value]) => typeof value === "string" && value !== "");
    if (pairs.length === 0) return null;
    return element("span", { class: "data" }, pairs.slice(0, 6).map(([key, value]) => element("span", {}, `${key.slice(0, 40)} `, element("b", {}, short(value)))));
  }

  function row(event) {
    const agent = oneOf(event.agent, AGENTS, "loop");
    const phase = oneOf(event.phase, PHASES, "OBSERVE");
    const at = number(event.at_s) || 0;
    const incident = text(event.incident);
    return element(
      "li",
      { class: `thought agent-${agent}`, "data-agent": agent, hidden: hidden.has(agent) },
      element("time", { datetime: Dom.isoTime(at) }, Dom.clockTime(at)),
      element("span", { class: "agent" }, nameOf(agent)),
      element("span", { class: "phase" }, phase),
      element("span", { class: "incident-ref" }, /^[0-9]+$/.test(incident) ? `#${incident}` : incident.slice(0, 8)),
      element("span", { class: "sentence" }, text(event.text), details(event.data)),
    );
  }

  function put(node) {
    const place = byId("thought-list");
    place.prepend(node);
    while (place.childElementCount > KEEP) place.lastElementChild.remove();
    byId("thoughts-empty").hidden = true;
  }

  function show(event) {
    if (paused) {
      waiting.push(event);
      if (waiting.length > KEEP) waiting.shift();
      label();
    } else {
      put(row(Dom.record(event)));
    }
  }

  function gap() {
    put(element("li", { class: "gap" }, "Some thoughts in between were missed: the feed keeps only the last ones."));
  }

  function label() {
    const button = byId("pause");
    button.setAttribute("aria-pressed", String(paused));
    Dom.setText(button, paused ? `Resume${waiting.length ? ` (${waiting.length} new)` : ""}` : "Pause");
  }

  function togglePause() {
    paused = !paused;
    if (!paused) {
      const missed = waiting;
      waiting = [];
      for (const event of missed) put(row(Dom.record(event)));
    }
    label();
  }

  function toggleAgent(agent, button) {
    if (hidden.has(agent)) hidden.delete(agent);
    else hidden.add(agent);
    button.setAttribute("aria-pressed", String(!hidden.has(agent)));
    for (const node of byId("thought-list").querySelectorAll(`[data-agent="${agent}"]`)) node.hidden = hidden.has(agent);
  }

  function start() {
    for (const agent of AGENTS) {
      const button = element("button", { type: "button", class: `filter agent-${agent}`, "aria-pressed": "true" }, nameOf(agent));
      button.addEventListener("click", () => toggleAgent(agent, button));
      byId("filters").append(button);
    }
    byId("pause").addEventListener("click", togglePause);
  }

  return { gap, show, start };
})();
