// The message box: text, files, replies, and the list that helps to write commands and mentions.
//
// A command is one line, `/name text` or `/name option: value`; the server has the grammar and the
// last word, this file only helps to write it.

import { byId, el, fileSize } from "./dom.js";

const STRING = 3, BOOLEAN = 5, USER = 6, CHANNEL = 7, ROLE = 8, MENTIONABLE = 9, ATTACHMENT = 11;
const KINDS = { 3: "text", 4: "whole number", 5: "true or false", 6: "user", 7: "channel", 8: "role", 9: "user or role", 10: "number", 11: "file" };
const PAUSE = 150; // milliseconds without typing before the bot is asked for choices
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Every command a person can type: subcommands as entries of their own. */
export function leaves(commands) {
  const found = [];
  const visit = (command, words, description, options) => {
    const nested = options.filter((option) => option.type <= 2);
    if (!nested.length) found.push({ words, description, options, command });
    for (const option of nested) visit(command, `${words} ${option.name}`, option.description, option.options || []);
  };
  for (const command of commands.filter((item) => item.type === 1)) visit(command, command.name, command.description, command.options || []);
  return found.sort((a, b) => a.words.localeCompare(b.words));
}

/** The options written in `rest`, each with where its value starts and ends. */
function written(rest, leaf) {
  if (!leaf.options.length) return [];
  const names = new RegExp(`(?:^|\\s)(${leaf.options.map((option) => escaped(option.name)).join("|")}):`, "g");
  const starts = [...rest.matchAll(names)];
  return starts.map((match, index) => ({
    option: leaf.options.find((option) => option.name === match[1]),
    from: match.index + match[0].length,
    to: starts[index + 1]?.index ?? rest.length,
  }));
}

export class Composer {
  /** `host`: people, channels, roles, commands(), complete(), send(), run(), typing(), limits, focusLast(). */
  constructor(host) {
    this.host = host;
    this.text = byId("composer-text");
    this.list = byId("suggestions-list");
    this.files = [];
    this.bound = new Map(); // option name -> file, for options that take a file
    this.picked = new Map(); // option name -> choice the bot offered
    this.reply = null;
    this.suggestions = [];
    this.active = -1;
    this.sentTyping = 0;
    this.listen();
  }

  listen() {
    this.text.addEventListener("input", () => { this.grow(); this.suggest(); this.tellTyping(); });
    this.text.addEventListener("click", () => this.suggest());
    this.text.addEventListener("keydown", (event) => this.key(event));
    this.text.addEventListener("blur", () => setTimeout(() => { if (!byId("composer").contains(document.activeElement)) this.close(); }, 150));
    this.text.addEventListener("paste", (event) => {
      if (event.clipboardData.files.length) { event.preventDefault(); this.addFiles(event.clipboardData.files); }
    });
    byId("composer").addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
    byId("attach").addEventListener("click", () => { this.bindTo = null; byId("files").click(); });
    byId("files").addEventListener("change", (event) => { this.addFiles(event.target.files); event.target.value = ""; });
    this.listenToDrops();
  }

  listenToDrops() {
    const area = document.querySelector("main");
    const shown = (event) => event.dataTransfer?.types.includes("Files");
    area.addEventListener("dragover", (event) => { if (shown(event)) { event.preventDefault(); byId("drop").hidden = false; } });
    area.addEventListener("dragleave", (event) => { if (!area.contains(event.relatedTarget)) byId("drop").hidden = true; });
    area.addEventListener("drop", (event) => {
      event.preventDefault();
      byId("drop").hidden = true;
      this.addFiles(event.dataTransfer.files);
    });
  }

  // --- text, files, reply ----------------------------------------------------------------------

  grow() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight, innerHeight * 0.4)}px`;
  }

  set(text, caret = text.length) {
    this.text.value = text;
    this.text.setSelectionRange(caret, caret);
    this.grow();
    this.text.focus();
    this.suggest();
  }

  addFiles(files) {
    for (const file of files) {
      if (file.size > this.host.limits.file_bytes) this.fail(`${file.name} is larger than ${fileSize(this.host.limits.file_bytes)}.`);
      else if (this.files.length < 10) this.files.push(file);
    }
    const context = this.context();
    const option = this.bindTo || context?.leaf?.options.find((item) => item.type === ATTACHMENT && !this.bound.has(item.name));
    if (option && files.length) this.bind(option, this.files.at(-1));
    this.bindTo = null;
    this.drawTray();
    this.text.focus();
  }

  bind(option, file) {
    if (!file) return;
    this.bound.set(option.name, file);
    const mark = `${option.name}:`;
    const value = this.text.value;
    if (value.includes(mark)) this.set(value.replace(new RegExp(`${escaped(mark)}\\s*\\S*`), `${mark} ${file.name.replace(/\s/g, "_")} `));
    else this.set(`${value.trimEnd()} ${mark} ${file.name.replace(/\s/g, "_")} `);
  }

  drawTray() {
    const tray = byId("tray");
    tray.hidden = !this.files.length;
    tray.replaceChildren(...this.files.map((file, index) => {
      const picture = file.type.startsWith("image/") ? el("img", { src: URL.createObjectURL(file), alt: "", onload: (event) => URL.revokeObjectURL(event.target.src) }) : el("span", { class: "file-sign" }, "");
      return el("li", {}, picture, el("span", { class: "cut" }, file.name), el("small", {}, fileSize(file.size)),
        el("button", { class: "icon", type: "button", "aria-label": `Remove ${file.name}`, onclick: () => { this.files.splice(index, 1); this.drawTray(); } }, "✕"));
    }));
  }

  replyTo(message, name) {
    this.reply = message;
    const bar = byId("replying");
    bar.hidden = !message;
    if (message) {
      bar.replaceChildren(el("span", {}, "Replying to ", el("b", {}, name)), el("button", { class: "icon", type: "button", "aria-label": "Stop replying", onclick: () => { this.replyTo(null); this.text.focus(); } }, "✕"));
      this.text.focus();
    }
  }

  fail(sentence) {
    byId("composer-error").textContent = sentence;
    byId("composer-error").hidden = !sentence;
  }

  tellTyping() {
    if (this.text.value.startsWith("/") || Date.now() - this.sentTyping < 8000) return;
    this.sentTyping = Date.now();
    this.host.typing();
  }

  // --- where the caret is ----------------------------------------------------------------------

  /** `{leaf, rest, option, typed}` when a command is being written, else null. */
  context() {
    const value = this.text.value;
    if (!value.startsWith("/")) return null;
    const fitting = leaves(this.host.commands()).filter((leaf) => value === `/${leaf.words}` || value.startsWith(`/${leaf.words} `) || value.startsWith(`/${leaf.words}\n`));
    const leaf = fitting.sort((a, b) => b.words.length - a.words.length)[0];
    if (!leaf || value === `/${leaf.words}`) return { prefix: value.slice(1) };
    const start = leaf.words.length + 1;
    const rest = value.slice(start);
    const caret = this.text.selectionStart - start;
    const used = written(rest, leaf);
    const current = used.find((item) => caret >= item.from && caret <= item.to);
    return { leaf, rest, start, used, current, typed: current ? rest.slice(current.from, caret).trimStart() : "" };
  }

  async suggest() {
    this.fail("");
    const context = this.context();
    clearTimeout(this.asking);
    if (!context) return this.suggestMention();
    if (!context.leaf) return this.suggestCommands(context.prefix);
    if (context.current) return this.suggestValues(context);
    return this.suggestOptions(context);
  }

  /** What can be typed has changed; someone may be in the middle of it. */
  commandsChanged() {
    if (!this.sending && document.activeElement === this.text && this.text.value.startsWith("/")) this.suggest();
  }

  suggestCommands(prefix) {
    const wanted = prefix.toLowerCase().trimEnd();
    const entries = leaves(this.host.commands()).filter((leaf) => leaf.words.startsWith(wanted));
    this.show(null, entries.map((leaf) => ({
      label: `/${leaf.words}`, detail: leaf.description, extra: leaf.options.map((option) => option.name).join(" "),
      take: () => this.set(`/${leaf.words} `),
    })), 0);
  }

  suggestOptions(context) {
    const usedNames = context.used.map((item) => item.option.name);
    const last = /(\S*)$/.exec(this.text.value.slice(0, this.text.selectionStart))[1];
    const taken = this.freeOption(context)?.name;
    const open = context.leaf.options.filter((option) => !usedNames.includes(option.name) && option.name !== taken);
    const matching = open.filter((option) => last && option.name.startsWith(last) && context.rest.trim() !== last);
    const entries = (matching.length ? matching : open).map((option) => ({
      label: option.name, detail: option.description, extra: `${KINDS[option.type]}${option.required ? " · required" : ""}`,
      take: () => this.insertOption(option, matching.length ? last : ""),
    }));
    this.show(this.head(context.leaf), entries, -1, Boolean(context.rest.trim()));
  }

  /** The option that text without a name goes to. */
  freeOption(context) {
    const free = context.used.length ? context.rest.slice(0, context.used[0].from - context.used[0].option.name.length - 1) : context.rest;
    if (!free.trim()) return null;
    const texts = context.leaf.options.filter((option) => option.type === STRING && !context.used.some((item) => item.option === option));
    return texts.find((option) => option.required) || texts[0];
  }

  insertOption(option, replaced) {
    const caret = this.text.selectionStart;
    const before = this.text.value.slice(0, caret - replaced.length).trimEnd();
    const after = this.text.value.slice(caret);
    this.set(`${before} ${option.name}: ${after}`, before.length + option.name.length + 3);
  }

  suggestValues(context) {
    const { option } = context.current;
    const typed = context.typed.toLowerCase();
    const named = (label, detail) => ({ label, detail, take: () => this.insertValue(label) });
    const fits = (entries) => entries.filter((entry) => entry.label.toLowerCase().replace(/^[@#]/, "").startsWith(typed.replace(/^[@#]/, "")));
    if (option.choices?.length) return this.show(this.head(context.leaf, option), fits(option.choices.map((choice) => named(choice.name))), 0);
    if (option.type === BOOLEAN) return this.show(this.head(context.leaf, option), fits([named("true"), named("false")]), 0);
    const entities = this.entities(option.type).map((name) => named(name));
    if (entities.length) return this.show(this.head(context.leaf, option), fits(entities), 0);
    if (option.type === ATTACHMENT && this.bound.has(option.name)) return this.suggestOptions(context);
    if (option.type === ATTACHMENT) return this.show(this.head(context.leaf, option), [{ label: "Choose a file…", take: () => { this.bindTo = option; byId("files").click(); } }], 0);
    if (option.autocomplete) return this.suggestChoices(context);
    return this.show(this.head(context.leaf, option), [], -1);
  }

  entities(type) {
    const names = [];
    if (type === USER || type === MENTIONABLE) names.push(...this.host.people().map((user) => `@${user.name}`));
    if (type === ROLE || type === MENTIONABLE) names.push(...this.host.roles().map((role) => role.name));
    if (type === CHANNEL) names.push(...this.host.channels().map((channel) => `#${channel.name}`));
    return names;
  }

  suggestChoices(context) {
    const { option } = context.current;
    const line = this.text.value;
    this.show(this.head(context.leaf, option), this.choicesFor === option.name ? this.suggestions : [], this.choicesFor === option.name ? this.active : -1);
    this.asking = setTimeout(async () => {
      const choices = await this.host.complete(line, option.name, context.typed);
      if (this.text.value !== line || document.activeElement !== this.text) return;
      this.choicesFor = option.name;
      this.show(this.head(context.leaf, option), choices.map((choice) => ({
        label: choice.name, take: () => { this.picked.set(option.name, choice); this.insertValue(choice.name); },
      })), context.typed ? 0 : -1);
    }, PAUSE);
  }

  insertValue(label) {
    const { start, current, rest } = this.context();
    const before = this.text.value.slice(0, start + current.from);
    const after = rest.slice(current.to);
    this.set(`${before} ${label} ${after.trimStart()}`, before.length + label.length + 2);
    this.suggestOptions(this.context());
  }

  suggestMention() {
    const before = this.text.value.slice(0, this.text.selectionStart);
    const found = /(?:^|\s)([@#])([\p{L}\p{N}_-]*)$/u.exec(before);
    if (!found) return this.close();
    const named = found[1] === "@" ? this.host.people() : this.host.channels();
    const entries = named.filter((item) => item.name.toLowerCase().startsWith(found[2].toLowerCase())).map((item) => ({
      label: `${found[1]}${item.name}`, detail: item.bot ? "the bot" : "",
      take: () => {
        const kept = before.slice(0, before.length - found[2].length - 1);
        this.set(`${kept}${found[1]}${item.name} ${this.text.value.slice(before.length)}`, kept.length + item.name.length + 2);
      },
    }));
    return this.show(null, entries, 0);
  }

  head(leaf, option) {
    if (!option) return [el("b", {}, `/${leaf.words}`), ` ${leaf.description}`];
    return [el("b", {}, option.name), ` ${option.description} `, el("small", {}, KINDS[option.type], bounds(option))];
  }

  // --- the list --------------------------------------------------------------------------------

  show(head, entries, active, compact = false) {
    byId("suggestions").classList.toggle("compact", compact);
    this.suggestions = entries;
    this.active = entries.length ? active : -1;
    byId("suggestions-head").replaceChildren(...(head || []));
    byId("suggestions-head").hidden = !head;
    this.list.replaceChildren(...entries.map((entry, index) => el("li", { role: "option", id: `suggestion-${index}`, "aria-selected": "false",
      onpointerdown: (event) => { event.preventDefault(); entry.take(); } },
      el("span", { class: "label" }, entry.label), el("span", { class: "detail" }, entry.detail || ""), el("span", { class: "extra" }, entry.extra || ""))));
    byId("suggestions").hidden = !entries.length && !head;
    this.text.setAttribute("aria-expanded", String(!byId("suggestions").hidden));
    this.mark();
  }

  mark() {
    [...this.list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === this.active)));
    this.list.children[this.active]?.scrollIntoView({ block: "nearest" });
    if (this.active >= 0) this.text.setAttribute("aria-activedescendant", `suggestion-${this.active}`);
    else this.text.removeAttribute("aria-activedescendant");
  }

  close() {
    this.show(null, [], -1);
  }

  key(event) {
    if (event.isComposing) return;
    const open = this.suggestions.length > 0;
    if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.active = (this.active + step + this.suggestions.length) % this.suggestions.length;
      if (this.active < 0) this.active = this.suggestions.length - 1;
      this.mark();
    } else if (open && event.key === "Tab" && !event.shiftKey) {
      event.preventDefault();
      this.suggestions[Math.max(this.active, 0)].take();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (open && this.active >= 0 && !this.isComplete()) this.suggestions[this.active].take();
      else this.submit();
    } else if (event.key === "Escape") {
      if (!byId("suggestions").hidden) this.close();
      else if (this.reply) this.replyTo(null);
    } else if (event.key === "ArrowUp" && !this.text.value) {
      event.preventDefault();
      this.host.focusLast();
    }
  }

  /** Whether what stands before the caret is already the marked suggestion, so that Enter may send. */
  isComplete() {
    const label = this.suggestions[this.active].label;
    return this.text.value.trimEnd().endsWith(label) && !(this.context()?.prefix !== undefined && this.needsOptions());
  }

  needsOptions() {
    const leaf = leaves(this.host.commands()).find((item) => `/${item.words}` === this.text.value.trimEnd());
    return !leaf || leaf.options.some((option) => option.required);
  }

  // --- sending ---------------------------------------------------------------------------------

  async submit() {
    const text = this.text.value.trim();
    if ((!text && !this.files.length) || this.sending) return;
    this.sending = true;
    this.fail("");
    this.close();
    try {
      if (text.startsWith("/") && !text.startsWith("//")) await this.run(text);
      else await this.host.send(this.withMentions(text), this.files, this.reply);
      this.clear();
    } catch (error) {
      this.fail(error.message);
    } finally {
      this.sending = false;
      this.text.focus();
    }
  }

  async run(text) {
    const context = this.context();
    const chosen = {};
    const files = {};
    for (const item of context?.used || []) {
      const value = context.rest.slice(item.from, item.to).trim();
      const choice = this.picked.get(item.option.name);
      if (choice && choice.name === value) chosen[item.option.name] = choice.value;
    }
    const wanting = (context?.leaf?.options || []).filter((option) => option.type === ATTACHMENT);
    const free = this.files.filter((file) => ![...this.bound.values()].includes(file));
    for (const option of wanting) {
      const file = this.bound.get(option.name) || free.shift();
      if (file && this.files.includes(file)) files[option.name] = this.files.indexOf(file);
    }
    await this.host.run(text, chosen, files, this.files);
  }

  withMentions(text) {
    const named = [
      ...this.host.people().map((user) => [`@${user.name}`, `<@${user.id}>`]),
      ...this.host.channels().map((channel) => [`#${channel.name}`, `<#${channel.id}>`]),
    ].sort((a, b) => b[0].length - a[0].length);
    return named.reduce((result, [name, mark]) => result.replace(new RegExp(`(^|\\s)${escaped(name)}(?![\\p{L}\\p{N}_-])`, "gu"), `$1${mark}`), text);
  }

  clear() {
    this.text.value = "";
    this.files = [];
    this.bound.clear();
    this.picked.clear();
    this.choicesFor = null;
    this.replyTo(null);
    this.drawTray();
    this.grow();
    this.close(); // it may have opened again while this was on its way
  }
}

function bounds(option) {
  const least = option.min_value ?? option.min_length;
  const most = option.max_value ?? option.max_length;
  if (least === undefined && most === undefined) return "";
  const unit = option.type === STRING ? " characters" : "";
  return ` · ${least ?? "…"} to ${most ?? "…"}${unit}`;
}
