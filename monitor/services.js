// Services and their operations: the state word, each figure beside its objective, and a small chart.
"use strict";

const Services = (() => {
  const { element, svg, text, number, list, record, oneOf, milliseconds, percent } = Dom;
  const STATES = ["NOMINAL", "UNKNOWN", "DEGRADED", "INCIDENT"]; // from good to bad
  const WIDTH = 160;
  const HEIGHT = 36;

  const stateOf = (service) => oneOf(record(service).state, STATES, "UNKNOWN");
  const worst = (services) => services.map(stateOf).reduce((a, b) => (STATES.indexOf(b) > STATES.indexOf(a) ? b : a), "NOMINAL");

  function points(series) {
    return list(series)
      .filter((point) => Array.isArray(point) && number(point[0]) !== null)
      .map(([at, p99, errors]) => ({ at, p99: number(p99), errors: number(errors) || 0 }));
  }

  // The runs of neighbouring measured points: where nothing was measured the line has a hole.
  function runs(all) {
    const out = [[]];
    for (const point of all) {
      if (point.p99 === null) out.push([]);
      else out[out.length - 1].push(point);
    }
    return out.filter((run) => run.length > 0);
  }

  function sparkline(series, objectiveMs, objectiveErrors) {
    const all = points(series);
    const measured = all.filter((point) => point.p99 !== null);
    if (measured.length < 2) return element("span", { class: "spark quiet" }, "no series yet");
    const first = all[0].at;
    const span = Math.max(1, all[all.length - 1].at - first);
    const top = Math.max(...measured.map((point) => point.p99), (objectiveMs || 0) * 1.3, 1);
    const x = (at) => (((at - first) / span) * (WIDTH - 6) + 3).toFixed(1);
    const y = (ms) => (HEIGHT - 5 - (ms / top) * (HEIGHT - 9)).toFixed(1);
    const last = measured[measured.length - 1];
    const label = `p99 over ${Dom.duration(span)}: now ${milliseconds(last.p99)}, highest ${milliseconds(Math.max(...measured.map((point) => point.p99)))}`;
    const chart = svg("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label }, svg("title", {}, label));
    if (objectiveMs !== null) chart.append(svg("line", { class: "objective", x1: 0, x2: WIDTH, y1: y(objectiveMs), y2: y(objectiveMs) }));
    for (const run of runs(all)) chart.append(svg("polyline", { class: "p99", points: run.map((point) => `${x(point.at)},${y(point.p99)}`).join(" ") }));
    for (const point of all.filter((candidate) => objectiveErrors !== null && candidate.errors > objectiveErrors)) {
      chart.append(svg("rect", { class: "errors", x: (x(point.at) - 1).toFixed(1), y: HEIGHT - 3, width: 2, height: 3 }));
    }
    chart.append(svg("circle", { class: "now", cx: x(last.at), cy: y(last.p99), r: 2.4 }));
    return chart;
  }

  function figure(label, shown, limit, broken) {
    return element(
      "div",
      { class: broken ? "figure broken" : "figure" },
      element("dt", {}, label),
      element("dd", {}, element("b", {}, shown), limit ? element("span", { class: "quiet" }, ` / ${limit}`) : null, broken ? element("span", { class: "for-ears" }, ", objective broken") : null),
    );
  }

  function operation(given) {
    const item = record(given);
    const p99 = number(item.p99_ms);
    const limit = number(item.objective_p99_ms);
    const errors = number(item.error_ratio);
    const errorLimit = number(item.objective_error_ratio);
    const health = oneOf(item.health, ["healthy", "unhealthy", "unknown"], "unknown");
    return element(
      "div",
      { class: "operation", "data-health": health },
      element("p", { class: "operation-name" }, element("span", { class: "dot", "aria-hidden": "true" }), element("code", {}, text(item.operation, "?")), element("span", { class: health === "healthy" ? "for-ears" : "health" }, health)),
      element(
        "dl",
        { class: "figures" },
        figure("p99", milliseconds(p99), limit === null ? "" : milliseconds(limit), p99 !== null && limit !== null && p99 > limit),
        figure("errors", percent(errors), errorLimit === null ? "" : percent(errorLimit), errors !== null && errorLimit !== null && errors > errorLimit),
        figure("requests", text(item.requests, "–"), "", false),
      ),
      sparkline(item.series, limit, errorLimit),
    );
  }

  function card(given) {
    const service = record(given);
    const state = stateOf(service);
    const commit = text(service.commit).slice(0, 7);
    return element(
      "article",
      { class: "card", "data-state": state },
      element(
        "header",
        {},
        element("h3", {}, text(service.name, "unnamed service")),
        commit ? element("code", { class: "commit", title: "the commit that answers now" }, commit) : null,
        element("span", { class: "state", "data-state": state }, state),
      ),
      list(service.operations).map(operation),
    );
  }

  function render(services) {
    const items = list(services);
    Dom.reconcile(Dom.byId("services"), items, (item) => text(record(item).name, "?"), card, "No telemetry yet. Services appear here as soon as their spans arrive.");
    Dom.setText(Dom.byId("services-count"), items.length ? `${items.length} watched` : "");
  }

  return { render, stateOf, worst };
})();
