// Building blocks: elements whose text is always text, links that are always http(s), and figures in words.
"use strict";

const Dom = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const MAX_TEXT = 2000;

  const text = (value, fallback = "") => (typeof value === "string" ? value.slice(0, MAX_TEXT) : typeof value === "number" ? String(value) : fallback);
  const number = (value) => (typeof value === "number" && Number.isFinite(value) ? value : null);
  const list = (value) => (Array.isArray(value) ? value : []);
  const record = (value) => (value !== null && typeof value === "object" && !Array.isArray(value) ? value : {});
  const oneOf = (value, options, fallback) => (options.includes(value) ? value : fallback);

  // What a table says of a word from elsewhere: "constructor" is no entry.
  const lookup = (table, key) => (typeof key === "string" && Object.hasOwn(table, key) ? table[key] : undefined);

  // An address that may become a link: absolute http(s) without credentials, else "".
  function webUrl(value) {
    if (typeof value !== "string" || !/^https?:\/\//i.test(value)) return "";
    try {
      const url = new URL(value);
      return url.username || url.password ? "" : url.href;
    } catch {
      return "";
    }
  }

  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : String(value));
    }
    for (const child of children.flat(3)) {
      if (child !== null && child !== undefined && child !== "") node.append(child);
    }
    return node;
  }

  const element = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);
  const svg = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

  function link(url, label, attributes = {}) {
    const href = webUrl(url);
    if (!href) return element("span", attributes, label);
    return element("a", { ...attributes, href, target: "_blank", rel: "noopener noreferrer" }, label);
  }

  function milliseconds(value) {
    const ms = number(value);
    if (ms === null) return "–";
    if (ms < 1000) return `${Math.round(ms)} ms`;
    return `${(ms / 1000).toFixed(ms < 9950 ? 1 : 0)} s`;
  }

  function percent(value) {
    const ratio = number(value);
    if (ratio === null) return "–";
    const hundredths = Math.round(ratio * 1000) / 10;
    return `${hundredths >= 10 ? Math.round(hundredths) : hundredths} %`;
  }

  function duration(seconds) {
    const whole = Math.max(0, Math.round(seconds));
    if (whole < 100) return `${whole} s`;
    if (whole < 5400) return `${Math.round(whole / 60)} min`;
    if (whole < 129600) return `${Math.round(whole / 3600)} h`;
    return `${Math.round(whole / 86400)} days`;
  }

  function clockTime(seconds) {
    const date = new Date(seconds * 1000);
    return Number.isNaN(date.getTime()) ? "–" : date.toLocaleTimeString([], { hour12: false });
  }

  function isoTime(seconds) {
    const date = new Date(seconds * 1000);
    return Number.isNaN(date.getTime()) ? null : date.toISOString();
  }

  // Keeps one child per key in the given order; builds a child anew only when its data changed, and keeps the focus where it was.
  function reconcile(parent, items, keyOf, build, emptyText) {
    const known = parent.orbitalChildren || (parent.orbitalChildren = new Map());
    const next = new Map();
    const order = [];
    for (const item of items) {
      let key = keyOf(item);
      while (next.has(key)) key += "'";
      const shape = JSON.stringify(item);
      const old = known.get(key);
      const entry = old && old.shape === shape ? old : { shape, node: build(item) };
      if (old && old.node !== entry.node && old.node.parentNode === parent) {
        const focused = old.node.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
        old.node.replaceWith(entry.node);
        if (focused) [...entry.node.querySelectorAll("a")].find((anchor) => anchor.getAttribute("href") === focused)?.focus();
      }
      next.set(key, entry);
      order.push(entry.node);
    }
    parent.orbitalChildren = next;
    if (order.length === 0) order.push(element("p", { class: "empty" }, emptyText));
    const wanted = new Set(order);
    for (const child of [...parent.childNodes]) if (!wanted.has(child)) child.remove();
    order.forEach((node, place) => {
      if (parent.childNodes[place] !== node) parent.insertBefore(node, parent.childNodes[place] || null);
    });
  }

  const byId = (id) => document.getElementById(id);
  const setText = (node, value) => {
    if (node.textContent !== value) node.textContent = value;
  };

  return { byId, clockTime, duration, element, isoTime, link, list, lookup, milliseconds, number, oneOf, percent, reconcile, record, setText, svg, text, webUrl };
})();
