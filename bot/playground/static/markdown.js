// Discord's kind of Markdown, turned into elements. Nothing is ever parsed as HTML.

import { el, safeUrl } from "./dom.js";

const UNITS = [["year", 31557600], ["month", 2629800], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const STYLES = {
  t: { timeStyle: "short" }, T: { timeStyle: "medium" }, d: { dateStyle: "short" }, D: { dateStyle: "long" },
  f: { dateStyle: "long", timeStyle: "short" }, F: { dateStyle: "full", timeStyle: "short" },
};

/** "in 12 seconds", "3 minutes ago". */
export function relativeTime(seconds) {
  const distance = seconds - Date.now() / 1000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(distance) >= size) || UNITS.at(-1);
  return relative.format(Math.round(distance / size), unit);
}

function timestamp(seconds, style) {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return `<t:${seconds}>`;
  const full = new Intl.DateTimeFormat("en", STYLES.F).format(date);
  const text = style === "R" ? relativeTime(seconds) : new Intl.DateTimeFormat("en", STYLES[style] || STYLES.f).format(date);
  return el("time", { class: "stamp", dateTime: date.toISOString(), title: full, "data-relative": style === "R" ? seconds : null }, text);
}

/** Bring every relative timestamp on the page up to date. */
export function refreshTimes(root = document) {
  for (const time of root.querySelectorAll("time[data-relative]")) {
    const text = relativeTime(Number(time.dataset.relative));
    if (time.textContent !== text) time.textContent = text;
  }
}

function link(address, label) {
  const href = safeUrl(address);
  return href ? el("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, label) : label;
}

function spoiler(children) {
  const reveal = (event) => { event.currentTarget.classList.add("shown"); };
  return el("span", { class: "spoiler", role: "button", tabIndex: 0, "aria-label": "Spoiler", onclick: reveal,
    onkeydown: (event) => { if (event.key === "Enter") reveal(event); } }, children);
}

// Each rule: pattern anchored at the current place, and what its match becomes. Order matters.
const RULES = [
  [/^\\([^A-Za-z0-9\s])/, (m) => m[1]],
  [/^``(.+?)``(?!`)/s, (m) => el("code", {}, m[1].trim())],
  [/^`([^`]+)`/, (m) => el("code", {}, m[1])],
  [/^<t:(-?\d{1,13})(?::([tTdDfFR]))?>/, (m) => timestamp(Number(m[1]), m[2] || "f")],
  [/^<@!?(\d+)>/, (m, names) => mention(names.user(m[1]))],
  [/^<@&(\d+)>/, (m, names) => mention(names.role(m[1]))],
  [/^<#(\d+)>/, (m, names) => names.channel(m[1])],
  [/^<\/([^:>]+):\d+>/, (m) => mention(`/${m[1]}`)],
  [/^<a?:(\w+):\d+>/, (m) => `:${m[1]}:`],
  [/^@(everyone|here)\b/, (m) => mention(`@${m[1]}`)],
  [/^<(https?:\/\/[^\s>]+)>/, (m) => link(m[1], m[1])],
  [/^\[([^\[\]]+)\]\(<?(https?:\/\/[^\s)>]+)>?\)/, (m, names) => link(m[2], inline(m[1], names))],
  [/^https?:\/\/[^\s<]+[^\s<.,:;"')\]]/, (m) => link(m[0], m[0])],
  [/^\*\*\*(.+?)\*\*\*/s, (m, names) => el("strong", {}, el("em", {}, inline(m[1], names)))],
  [/^\*\*(.+?)\*\*(?!\*)/s, (m, names) => el("strong", {}, inline(m[1], names))],
  [/^__(.+?)__(?!_)/s, (m, names) => el("u", {}, inline(m[1], names))],
  [/^~~(.+?)~~/s, (m, names) => el("s", {}, inline(m[1], names))],
  [/^\|\|(.+?)\|\|/s, (m, names) => spoiler(inline(m[1], names))],
  [/^\*(?!\s)(.+?)(?<!\s)\*(?!\*)/s, (m, names) => el("em", {}, inline(m[1], names))],
  [/^_(?!\s)(.+?)_(?![A-Za-z0-9_])/s, (m, names) => el("em", {}, inline(m[1], names))],
];

const mention = (text) => el("span", { class: "mention" }, text);

function inline(text, names) {
  const nodes = [];
  let plain = "";
  let rest = text;
  let previous = "";
  const flush = () => { if (plain) { nodes.push(plain); plain = ""; } };
  while (rest) {
    let matched = null;
    for (const [pattern, build] of RULES) {
      const found = pattern.exec(rest);
      const inWord = found && /^[_h]/.test(found[0]) && /[A-Za-z0-9]/.test(previous);
      if (found && !inWord) { matched = [found, build]; break; }
    }
    if (matched) {
      flush();
      nodes.push(matched[1](matched[0], names));
      previous = matched[0][0].at(-1);
      rest = rest.slice(matched[0][0].length);
      continue;
    }
    const word = /^[A-Za-z0-9]+[\s,.]*/.exec(rest)?.[0] || [...rest][0];
    plain += word;
    previous = word.at(-1);
    rest = rest.slice(word.length);
  }
  flush();
  return nodes;
}

function block(line, names) {
  const heading = /^(#{1,3}) (.+)/.exec(line);
  if (heading) return el("div", { class: `h${heading[1].length}`, role: "heading", "aria-level": heading[1].length + 1 }, inline(heading[2], names));
  const small = /^-# (.+)/.exec(line);
  if (small) return el("small", {}, inline(small[1], names));
  const item = /^(\s*)(?:[-*]|(\d+)\.) (.+)/.exec(line);
  if (item) return el("div", { class: "item", style: { marginLeft: `${Math.min(item[1].length, 8) * 8}px` } },
    el("span", { class: "bullet" }, item[2] ? `${item[2]}.` : "•"), el("span", {}, inline(item[3], names)));
  return null;
}

function lines(text, names) {
  const nodes = [];
  const all = text.split("\n");
  let run = []; // plain lines in a row: emphasis may span them
  const flush = () => { if (run.length) nodes.push(...inline(run.join("\n"), names)); run = []; };
  for (let at = 0; at < all.length; at += 1) {
    const rest = all[at].startsWith(">>> ") ? [all[at].slice(4), ...all.slice(at + 1)] : null;
    if (rest) { flush(); nodes.push(el("blockquote", {}, lines(rest.join("\n"), names))); return nodes; }
    if (/^> /.test(all[at])) {
      const quoted = [];
      while (at < all.length && /^> ?/.test(all[at])) { quoted.push(all[at].replace(/^> ?/, "")); at += 1; }
      at -= 1;
      flush();
      nodes.push(el("blockquote", {}, lines(quoted.join("\n"), names)));
      continue;
    }
    const built = block(all[at], names);
    if (built) { flush(); nodes.push(built); } else run.push(all[at]);
  }
  flush();
  return nodes;
}

/** The nodes of a text. `names` turns ids into names: `user(id)`, `role(id)`, `channel(id)`. */
export function markdown(text, names) {
  const nodes = [];
  for (const part of String(text).split(/(```[\s\S]+?```)/)) {
    const code = /^```(?:([\w+-]+)\n)?\n?([\s\S]+?)\n?```$/.exec(part);
    if (code) nodes.push(el("pre", {}, el("code", {}, code[2])));
    else if (part) nodes.push(...lines(part.replace(/^\n|\n$/g, nodes.length ? "" : "$&"), names));
  }
  return nodes;
}

/** Whether the text is nothing but a few emoji, which Discord shows large. */
export function isJumbo(text) {
  return /^(?:\p{Extended_Pictographic}[\p{Emoji_Modifier}\u200d\ufe0f]*\s*){1,27}$/u.test(text);
}
