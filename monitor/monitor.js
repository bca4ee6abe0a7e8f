// The page as a whole: where it listens, what it heard last, and what it says about both.
"use strict";

(() => {
  const { byId, setText } = Dom;
  const LOST_AFTER_MS = 7000;
  const REPOSITORY = /^[A-Za-z0-9-]{1,39}\/[A-Za-z0-9._-]{1,100}$/;
  const page = {
    base: "", // "": this page's own server
    repo: "", // what ?repo= said
    state: null,
    heardMs: 0, // when the control plane last said anything
    failed: false,
    feedOpen: false,
    mirrored: null, // GitHub's list, while the link is lost
    mirroredMs: 0,
    mirrorWaitS: 0,
    saved: false, // a saved page: nothing is live
    words: new Map(), // what was announced of each service and incident
  };

  // --- where to listen -----------------------------------------------------------------------------------------------------------

  function stored(name, value) {
    try {
      if (value === undefined) return localStorage.getItem(`orbital.${name}`) || "";
      if (value) localStorage.setItem(`orbital.${name}`, value);
      else localStorage.removeItem(`orbital.${name}`);
    } catch {
      // a browser that keeps nothing: the address line still works
    }
    return value || "";
  }

  function backendOf(value) {
    const href = Dom.webUrl(value);
    return href ? href.split(/[?#]/)[0].replace(/\/+$/, "") : "";
  }

  function choose() {
    const query = new URLSearchParams(location.search);
    page.base = query.has("backend") ? stored("backend", backendOf(query.get("backend"))) : backendOf(stored("backend"));
    page.repo = query.has("repo") ? stored("repo", REPOSITORY.test(query.get("repo")) ? query.get("repo") : "") : stored("repo");
    if (!REPOSITORY.test(page.repo)) page.repo = "";
    byId("backend").value = page.base;
    byId("repo").value = page.repo;
  }

  function connectElsewhere() {
    const [backend, repo] = [byId("backend").value.trim(), byId("repo").value.trim()];
    if (backend && !backendOf(backend)) return setText(byId("settings-answer"), "The control plane's address must begin with https:// or http://.");
    if (repo && !REPOSITORY.test(repo)) return setText(byId("settings-answer"), "The repository must look like owner/name.");
    return location.assign(`${location.pathname}?${new URLSearchParams({ backend, repo })}`);
  }

  // --- what is shown -------------------------------------------------------------------------------------------------------------

  const lost = () => !page.saved && page.failed && Date.now() - page.heardMs > LOST_AFTER_MS;

  function mirrorRepository() {
    if (!lost()) return "";
    if (page.repo) return page.repo;
    const state = Dom.record(page.state);
    const onGitHub = /^https:\/\/github\.com\//.test(Dom.text(state.repository_url));
    return onGitHub && REPOSITORY.test(Dom.text(state.repository)) ? state.repository : "";
  }

  function showOverall(services, open) {
    const word = page.state === null ? (page.failed ? "NO CONTACT" : "CONNECTING") : services.length ? Services.worst(services) : "UNKNOWN";
    const broken = services.filter((service) => !["NOMINAL", "UNKNOWN"].includes(Services.stateOf(service))).length;
    const incidents = open === 1 ? "1 open incident" : `${open || "no"} open incidents`;
    const text = page.state === null ? "nothing heard yet" : `${broken ? `${broken} of ${services.length}` : services.length} services${broken ? " broken" : ""}, ${incidents}`;
    byId("overall").dataset.state = page.state === null ? "UNKNOWN" : word;
    setText(byId("overall-word"), word);
    setText(byId("overall-text"), lost() && page.state !== null ? `${text} (last known)` : text);
    document.title = `${word} · Orbital Monitor`;
  }

  function showHead(state) {
    const holder = byId("repository");
    const label = Dom.text(state.repository) || page.repo || "SRE-Space";
    const shown = Dom.link(state.repository_url || (page.repo && `https://github.com/${page.repo}`), label);
    if (holder.textContent !== label || !holder.firstElementChild) holder.replaceChildren(shown);
    const rss = Dom.number(state.rss_mib);
    setText(byId("memory"), rss === null ? "–" : `${Math.round(rss)} MiB`);
    setText(byId("profile"), Dom.text(state.profile, "–"));
    byId("controls").hidden = !(state.demo === true && page.base === "" && !page.saved);
  }

  // Says aloud (to a screen reader) what changed, and nothing the first time.
  function announce(services, incidents) {
    const said = [];
    const tell = (key, word, sentence) => {
      if (page.words.has(key) && page.words.get(key) !== word) said.push(sentence);
      page.words.set(key, word);
    };
    for (const service of services) tell(`service ${Dom.text(service.name)}`, Services.stateOf(service), `${Dom.text(service.name)} is now ${Services.stateOf(service)}.`);
    for (const incident of incidents) {
      if (Dom.number(incident.issue) !== null) tell(`incident ${incident.issue}`, Dom.text(incident.stage), `Incident ${incident.issue}: ${Dom.text(incident.stage)}.`);
    }
    if (said.length) setText(byId("announcer"), said.join(" "));
  }

  function show() {
    const state = Dom.record(page.state);
    const services = Dom.list(state.services).map(Dom.record);
    let incidents = Dom.list(state.incidents).map(Dom.record);
    if (page.mirrored && lost()) incidents = Link.overlay(incidents, page.mirrored);
    showHead(state);
    if (page.state !== null || page.mirrored) {
      Services.render(services);
      const open = Incidents.render(incidents, state.attempts_limit);
      showOverall(services, open);
      announce(services, incidents);
    } else {
      showOverall([], 0);
    }
    showLink();
  }

  function showLink() {
    const isLost = lost();
    const where = page.base ? new URL(page.base).host : "";
    const word = page.saved ? "saved page" : isLost ? "lost" : page.state === null ? "connecting" : page.feedOpen ? "live" : "state only";
    const gauge = byId("link");
    gauge.dataset.link = word;
    setText(gauge, where ? `${word} · ${where}` : word);
    setText(byId("feed-state"), page.saved ? "as saved" : page.feedOpen ? "live" : "not connected");
    byId("lost").hidden = !isLost;
    document.body.classList.toggle("is-lost", isLost);
    if (isLost) setText(byId("lost"), lostText());
  }

  function lostText() {
    const ago = (ms) => Dom.duration((Date.now() - ms) / 1000);
    const heard = page.heardMs ? `last heard ${ago(page.heardMs)} ago` : "nothing heard yet";
    const kept = page.state === null ? "" : ` Services stand as they were at ${Dom.clockTime(page.heardMs / 1000)}.`;
    let mirror = " To mirror issues and pull requests from GitHub meanwhile, name the repository under “Satellite link” below.";
    if (page.mirrored) mirror = ` Issues and pull requests come straight from GitHub, ${ago(page.mirroredMs)} ago.`;
    else if (page.mirrorWaitS) mirror = ` GitHub does not answer either; next try in about ${Dom.duration(page.mirrorWaitS)}.`;
    else if (mirrorRepository()) mirror = " Asking GitHub for issues and pull requests…";
    return `Satellite link lost, ${heard}.${kept}${mirror}`;
  }

  // --- engineering controls ------------------------------------------------------------------------------------------------------

  async function inject(fault) {
    const output = byId("controls-answer");
    setText(output, "Sending…");
    try {
      const answer = await fetch(`/demo/inject-failure?type=${encodeURIComponent(fault)}`, { method: "POST", signal: AbortSignal.timeout(20000) });
      const content = Dom.record(await answer.json());
      const words = Object.entries(content).map(([key, value]) => `${key}: ${typeof value === "object" ? JSON.stringify(value) : value}`);
      setText(output, `${answer.ok ? "Injected" : `Refused (${answer.status})`}${words.length ? ` · ${words.join(" · ")}` : ""}`.slice(0, 300));
    } catch {
      setText(output, "No answer: is the control plane running?");
    }
  }

  // --- start ---------------------------------------------------------------------------------------------------------------------

  function hear() {
    page.heardMs = Date.now();
    page.failed = false;
    page.mirrored = null;
    page.mirrorWaitS = 0;
  }

  function showSaved(saved) {
    page.saved = true;
    page.state = Dom.record(saved.state);
    for (const event of Dom.list(saved.events)) Thoughts.show(event);
    byId("settings").hidden = true;
    byId("pause").hidden = true;
    show();
    const at = Dom.number(page.state.now_s);
    setText(byId("clock"), at === null ? "–" : new Date(at * 1000).toLocaleString([], { hour12: false }));
  }

  function goLive() {
    choose();
    const tick = () => {
      setText(byId("clock"), Dom.clockTime(Date.now() / 1000));
      showLink();
    };
    tick();
    setInterval(tick, 1000);
    Link.followState(page.base, {
      state: (state) => {
        hear();
        page.state = state;
        show();
      },
      silent: () => {
        page.failed = true;
        show();
      },
    });
    Link.followFeed(page.base, {
      thought: (event) => {
        page.heardMs = Date.now();
        Thoughts.show(event);
      },
      gap: Thoughts.gap,
      open: (isOpen) => {
        page.feedOpen = isOpen;
        showLink();
      },
    });
    Link.mirrorGitHub(mirrorRepository, {
      mirrored: (items) => {
        page.mirrored = items;
        page.mirroredMs = Date.now();
        show();
      },
      mirrorFailed: (waitS) => {
        page.mirrorWaitS = waitS;
        showLink();
      },
    });
    byId("connect").addEventListener("click", connectElsewhere);
    for (const button of byId("controls").querySelectorAll("button")) button.addEventListener("click", () => inject(button.dataset.fault));
  }

  Thoughts.start();
  const saved = byId("saved");
  if (saved) showSaved(JSON.parse(saved.textContent));
  else goLive();
})();
