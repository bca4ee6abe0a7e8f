// The satellite link: state by polling, thoughts by server-sent events, and GitHub itself while the control plane is silent.
"use strict";

const Link = (() => {
  const POLL_MS = 3000;
  const HIDDEN_POLL_MS = 30000;
  const ANSWER_MS = 6000;
  const MIRROR_MS = 90000; // 60 unauthenticated reads an hour and address is all that GitHub gives
  const MIRROR_MAX_MS = 1800000;
  const INCIDENT_LABEL = "sre:incident";

  async function getJson(url, options = {}) {
    const answer = await fetch(url, { cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer", signal: AbortSignal.timeout(ANSWER_MS), ...options });
    if (!answer.ok) throw Object.assign(new Error(`answered ${answer.status}`), { answer });
    return answer.json();
  }

  // Calls on.state(state) after each answer and on.silent() after each failure, for ever.
  function followState(base, on) {
    async function look() {
      try {
        const state = await getJson(`${base}/api/state`);
        if (!Array.isArray(Dom.record(state).services)) throw new Error("the answer is not a state");
        on.state(state);
      } catch {
        on.silent();
      }
      setTimeout(look, document.hidden ? HIDDEN_POLL_MS : POLL_MS);
    }
    look();
  }

  // Calls on.thought(event), on.gap() and on.open(whether). The browser resumes by Last-Event-ID; when it gives up, we do by ?after=.
  function followFeed(base, on) {
    let last = 0;
    let wait = 1000;
    function connect() {
      const source = new EventSource(`${base}/feed${last ? `?after=${last}` : ""}`);
      source.addEventListener("open", () => {
        wait = 1000;
        on.open(true);
      });
      source.addEventListener("gap", () => {
        last = 0;
        on.gap();
      });
      source.addEventListener("thought", (message) => {
        const id = Number(message.lastEventId);
        if (id <= last) return;
        last = id;
        let event;
        try {
          event = JSON.parse(message.data);
        } catch {
          return; // not one of ours; the next one may be
        }
        on.thought(event);
      });
      source.addEventListener("error", () => {
        on.open(false);
        if (source.readyState !== EventSource.CLOSED) return;
        source.close();
        setTimeout(connect, wait);
        wait = Math.min(wait * 2, 30000);
      });
    }
    connect();
  }

  function nextWait(error, wait) {
    const headers = error.answer && error.answer.headers;
    const reset = headers && headers.get("x-ratelimit-remaining") === "0" ? Number(headers.get("x-ratelimit-reset")) * 1000 - Date.now() : 0;
    return Math.min(Math.max(wait * 2, reset || 0), MIRROR_MAX_MS * 2);
  }

  // While wanted() names a repository of github.com: one request at a time for its newest issues and pull requests.
  function mirrorGitHub(wanted, on) {
    let wait = MIRROR_MS;
    let due = 0;
    async function look() {
      const repository = wanted();
      if (repository && Date.now() >= due) {
        due = Date.now() + wait;
        try {
          const url = `https://api.github.com/repos/${repository.split("/").map(encodeURIComponent).join("/")}/issues?state=all&sort=updated&direction=desc&per_page=100`;
          const items = await getJson(url, { headers: { Accept: "application/vnd.github+json" } });
          if (wanted() === repository) on.mirrored(Dom.list(items).map(Dom.record));
          wait = MIRROR_MS;
        } catch (error) {
          wait = nextWait(error, wait);
          due = Date.now() + wait;
          on.mirrorFailed(wait / 1000);
        }
      }
      setTimeout(look, 1000);
    }
    look();
  }

  const seconds = (iso) => (typeof iso === "string" ? Date.parse(iso) / 1000 || null : null);

  // GitHub's list of issues (pull requests are in it too) laid over what was last known of the incidents.
  function overlay(incidents, items) {
    const known = new Map(incidents.map((incident) => [incident.issue, { ...incident }]));
    for (const item of items.filter((candidate) => !candidate.pull_request)) {
      if (!Dom.list(item.labels).some((label) => Dom.record(label).name === INCIDENT_LABEL)) continue;
      const before = known.get(item.number) || { issue: item.number, stage: "" };
      known.set(item.number, { ...before, mirrored: true, url: item.html_url, title: item.title, state: item.state, opened_s: seconds(item.created_at), closed_s: seconds(item.closed_at) });
    }
    const pulls = items.filter((item) => item.pull_request).sort((a, b) => a.number - b.number);
    for (const item of pulls) {
      const state = Dom.record(item.pull_request).merged_at ? "merged" : item.state;
      const named = /^Refs #([0-9]{1,9})\b/m.exec(Dom.text(item.body));
      for (const [issue, incident] of known) {
        const own = Dom.record(incident.pull).number === item.number;
        const newer = named && Number(named[1]) === issue && item.number > (Dom.record(incident.pull).number || 0);
        if (own || newer) incident.pull = { checks: [], ...(own ? incident.pull : {}), number: item.number, url: item.html_url, title: item.title, state };
      }
    }
    return [...known.values()];
  }

  return { followFeed, followState, mirrorGitHub, overlay };
})();
