// Incidents: how far each has come, who found the cause, and where its pull request and checks stand.
"use strict";

const Incidents = (() => {
  const { element, text, number, list, lookup, record, oneOf, link } = Dom;
  const STEPS = [
    ["detected", "detected"],
    ["diagnosing", "diagnosing"],
    ["proposed", "proposed"],
    ["judged", "judged"],
    ["merged", "merged"],
    ["deployed", "deployed"],
    ["healed", "verified"],
    ["remembered", "remembered"],
  ];
  const STOPS = { escalated: "A person is called", held: "On hold", closed: "Closed without a fix" };
  const MARKS = { success: "✓", failure: "✕", timed_out: "✕", cancelled: "–", skipped: "–", neutral: "–" };

  const stop = (incident) => lookup(STOPS, incident.stage);

  // An incident that was handed over has come as far as its pull request shows.
  function reached(incident) {
    const place = STEPS.findIndex(([name]) => name === incident.stage);
    const pull = record(incident.pull);
    if (place >= 0) return incident.mirrored && pull.state === "merged" ? Math.max(place, 4) : place;
    if (pull.state === "merged") return 4;
    if (pull.number) return list(pull.checks).some((check) => record(check).status === "completed") ? 3 : 2;
    return 1;
  }

  function stepper(incident) {
    if (!incident.stage) return null;
    const now = reached(incident);
    const over = incident.state === "closed" || stop(incident);
    const items = STEPS.map(([, label], place) => {
      const status = place < now || (over && place === now) ? "done" : place === now ? "now" : "later";
      const words = { done: "done", now: "reached", later: "still to come" }[status];
      return element(
        "li",
        { class: status, "aria-current": status === "now" ? "step" : null },
        element("span", { class: "bead", "aria-hidden": "true" }),
        element("span", { class: "step-label" }, label),
        element("span", { class: "for-ears" }, ` (${words})`),
      );
    });
    return element("ol", { class: "stepper", "data-stop": stop(incident) ? incident.stage : null, "aria-label": `step ${now + 1} of ${STEPS.length}` }, items);
  }

  function check(given) {
    const item = record(given);
    const conclusion = text(item.conclusion);
    const outcome = item.status === "completed" ? conclusion || "completed" : text(item.status, "queued").replace(/_/g, " ");
    const tone = conclusion === "success" ? "good" : ["failure", "timed_out"].includes(conclusion) ? "bad" : "open";
    return link(item.url, `${lookup(MARKS, conclusion) || "…"} ${text(item.name, "check")}: ${outcome}`, { class: "chip", "data-tone": tone });
  }

  function pullRow(given) {
    if (!given) return null;
    const pull = record(given);
    const state = oneOf(pull.state, ["open", "merged", "closed"], "open");
    return element(
      "p",
      { class: "pull" },
      element("span", { class: "chip", "data-tone": { open: "open", merged: "merged", closed: "bad" }[state] }, `pull request ${state}`),
      " ",
      link(pull.url, `#${text(pull.number, "?")} ${text(pull.title)}`),
      " ",
      list(pull.checks).map((item) => [check(item), " "]),
    );
  }

  function answeredBy(incident) {
    const who = lookup({ cag: "CAG (from memory)", brain: "Brain" }, incident.answered_by);
    if (!who) return null;
    return [element("dt", {}, "answered by"), element("dd", { class: `agent agent-${incident.answered_by}` }, who)];
  }

  function affected(incident) {
    const names = list(incident.affected).map((one) => `${text(record(one).operation)} in ${text(record(one).service)}`);
    return names.slice(0, 5).join(", ") + (names.length > 5 ? ` and ${names.length - 5} more` : "");
  }

  function facts(incident) {
    const confidence = number(incident.confidence);
    const [opened, closed] = [number(incident.opened_s), number(incident.closed_s)];
    const pair = (label, value) => (value ? [element("dt", {}, label), element("dd", {}, value)] : null);
    return element(
      "dl",
      { class: "facts" },
      answeredBy(incident),
      pair("confidence", confidence === null ? "" : confidence.toFixed(2)),
      pair("attempt", number(incident.attempt) ? `${incident.attempt}${incident.limit ? ` of ${incident.limit}` : ""}` : ""),
      pair("opened", opened ? Dom.clockTime(opened) : ""),
      pair(closed ? "took" : "", opened && closed ? Dom.duration(closed - opened) : ""),
      pair("outcome", text(incident.outcome)),
      pair("also affected", affected(incident)),
    );
  }

  function badge(incident) {
    if (stop(incident)) return element("span", { class: "chip", "data-tone": "warn" }, stop(incident));
    if (incident.state === "closed") return element("span", { class: "chip", "data-tone": incident.outcome === "failed" || incident.outcome === "error" ? "bad" : "good" }, "closed");
    return element("span", { class: "chip", "data-tone": "bad" }, "open");
  }

  function card(given) {
    const incident = record(given);
    const title = text(incident.title, "untitled incident");
    const issue = number(incident.issue);
    return element(
      "article",
      { class: "card incident", "data-state": incident.state === "closed" ? "NOMINAL" : stop(incident) ? "DEGRADED" : "INCIDENT" },
      element("header", {}, element("h3", {}, link(incident.url, issue === null ? title : `#${issue} ${title}`)), badge(incident)),
      stepper(incident),
      incident.cause ? element("p", { class: "cause" }, text(incident.cause)) : null,
      facts(incident),
      pullRow(incident.pull),
      incident.mirrored ? element("p", { class: "quiet" }, "mirrored from GitHub") : incident.next ? element("p", { class: "next" }, element("span", { class: "quiet" }, "Next: "), text(incident.next)) : null,
    );
  }

  function render(incidents, limit) {
    const items = list(incidents).map((item) => ({ ...record(item), limit: number(limit) }));
    items.sort((a, b) => (a.state === "closed") - (b.state === "closed") || (number(b.opened_s) || 0) - (number(a.opened_s) || 0));
    const open = items.filter((item) => item.state !== "closed").length;
    Dom.reconcile(Dom.byId("incidents"), items, (item) => text(item.issue, `new ${text(item.title)}`), card, "No incidents. Scout is watching.");
    Dom.setText(Dom.byId("incidents-count"), items.length ? `${open} open, ${items.length - open} closed` : "");
    return open;
  }

  return { render };
})();
