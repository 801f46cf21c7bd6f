// The playground's page: one server, its channels, and whoever you choose to speak as.

import { Refused, act, live, load } from "./api.js";
import { Composer } from "./composer.js";
import { closeMenu, openForm, openMenu } from "./dialogs.js";
import { avatar, byId, el } from "./dom.js";
import { refreshTimes } from "./markdown.js";
import { MessageView, announce, isLoading, plainText, replaceItem } from "./messages.js";

const EMOJI = ["👍", "❤️", "😂", "🎉", "😮", "🔥", "👎", "🦊"];
const NEAR_END = 120; // pixels from the end within which the list keeps following
const TYPING_SHOWN = 9000; // milliseconds

const state = {
  me: null, direct: null, guild: {}, bot: {}, users: new Map(), roles: [], channels: new Map(), limits: { token_seconds: 900, file_bytes: 10485760 },
  channel: null, messages: [], more: false, commands: [], unread: new Set(), online: false, connected: false,
  interactions: new Map(), typing: new Map(), meanwhile: null,
};
const whenOnline = []; // who waits for the bot to be connected
const early = new Map(); // interaction id -> news that came before the answer to our own request

// --- what the other parts need to know -----------------------------------------------------------

const names = {
  user: (id) => `@${state.users.get(id)?.name || "unknown"}`,
  role: (id) => `@${state.roles.find((role) => role.id === id)?.name || "unknown"}`,
  channel: (id) => {
    const channel = state.channels.get(id);
    return channel ? el("button", { class: "mention", type: "button", onclick: () => openChannel(id) }, `#${channel.name}`) : "#unknown";
  },
};

const host = {
  names, busy: new Set(), failures: new Map(),
  get me() { return state.me; },
  get limits() { return state.limits; },
  person: (id) => state.users.get(id),
  people: () => [...state.users.values()],
  roles: () => state.roles.filter((role) => role.id !== state.guild.id),
  channels: () => [...state.channels.values()].filter((channel) => channel.type !== 1),
  commands: () => state.commands,
  openChannel: (id) => openChannel(id),
  jumpTo: (id) => {
    const item = itemOf(id);
    item?.scrollIntoView({ block: "center", behavior: "smooth" });
    item?.focus({ preventScroll: true });
  },
  dismiss: (id) => { state.messages = state.messages.filter((message) => message.id !== id); drawMessages(); byId("composer-text").focus(); },
  replyTo: (message) => composer.replyTo(message, state.users.get(message.author.id)?.name || message.author.username),
  react: (message, emoji, on) => attempt(act("react", here({ message: message.id, emoji, on }))),
  useComponent, selectOptions, openReactions, openMore, openPerson,
  send: (content, files, reply) => { toEnd(); return act("send", here({ content, reply_to: reply?.id }), files); },
  typing: () => { act("typing", here({})).catch(() => {}); },
  complete, run, focusLast: () => moveFocus(null, -1),
};
const view = new MessageView(host);
const composer = new Composer(host);

const here = (body) => ({ user: state.me, channel: state.channel, ...body });
const itemOf = (id) => byId("messages").querySelector(`[data-id="${CSS.escape(id)}"]`);

async function attempt(promise) {
  try {
    return await promise;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    composer.fail(error.message);
    return null;
  }
}

// --- loading -------------------------------------------------------------------------------------

let presences = 0; // how often the bot came or went
const latest = { state: 0, channel: 0 }; // the newest request of each kind; answers to older ones are dropped

async function loadState(user) {
  const mine = ++latest.state;
  if (state.users.has(user)) state.me = user;
  const before = presences;
  const data = await load("state", user ? { user } : {});
  if (mine !== latest.state) return;
  Object.assign(state, { me: data.me, direct: data.direct, guild: data.guild, bot: data.bot, roles: data.roles, limits: data.limits });
  if (before === presences) state.online = data.online; // else what was heard meanwhile is newer
  metBot();
  state.users = new Map(data.users.map((item) => [item.id, item]));
  state.channels = new Map(data.channels.map((item) => [item.id, item]));
  try { localStorage.setItem("speaker", state.me); } catch { /* private windows keep nothing */ }
  drawSidebar();
}

async function start() {
  let remembered = null;
  try { remembered = localStorage.getItem("speaker"); } catch { /* private windows keep nothing */ }
  await loadState(remembered).catch(() => loadState(null));
  state.channel = location.hash.slice(1);
  // Everything is loaded once the websocket is open: what happens in between would be missed otherwise.
  live({ onEvent: hear, onState: (open) => { state.connected = open; drawStatus(); if (open) reload(); } });
}

async function reload() {
  for (const settle of [...state.interactions.values()]) settle({ state: "answered" }); // their news may be lost
  await attempt(loadState(state.me));
  await openChannel(state.channels.has(state.channel) ? state.channel : [...state.channels.keys()][0]);
}

async function openChannel(id) {
  const mine = ++latest.channel;
  const meanwhile = (state.meanwhile = []); // the answer may be older than what is heard before it arrives
  const data = await attempt(load("channel", { user: state.me, channel: id }));
  if (mine !== latest.channel) return;
  state.meanwhile = null;
  if (!data) return;
  const moved = state.channel !== id;
  state.channel = id;
  state.channels.set(id, data.channel);
  Object.assign(state, { messages: data.messages, more: data.more, commands: data.commands });
  state.unread.delete(id);
  state.typing.clear();
  if (moved) host.failures.clear();
  history.replaceState(null, "", `#${id}`);
  toggleSidebar(false);
  drawSidebar();
  drawHead();
  drawMessages();
  meanwhile.forEach(hear);
  toEnd();
  if (matchMedia("(hover: hover)").matches) byId("composer-text").focus();
  composer.commandsChanged();
}

async function loadOlder() {
  if (!state.more || state.loadingOlder) return;
  state.loadingOlder = true;
  const data = await attempt(load("channel", { user: state.me, channel: state.channel, before: state.messages[0].id }));
  state.loadingOlder = false;
  if (!data) return;
  const scroller = byId("scroller");
  const fromEnd = scroller.scrollHeight - scroller.scrollTop;
  state.messages = [...data.messages, ...state.messages];
  state.more = data.more;
  drawMessages();
  scroller.scrollTop = scroller.scrollHeight - fromEnd;
}

// --- drawing -------------------------------------------------------------------------------------

function drawSidebar() {
  byId("server-name").textContent = state.guild.name;
  const channels = [...state.channels.values()];
  const row = (channel, label, extra = "") => el("button", { type: "button", class: `channel ${extra}${state.unread.has(channel.id) ? " unread" : ""}`, "data-channel": channel.id,
    "aria-current": channel.id === state.channel ? "page" : null, onclick: () => openChannel(channel.id) }, label);
  const rows = channels.filter((channel) => channel.type === 0).flatMap((channel) => [
    row(channel, [el("span", { class: "sign" }, "#"), channel.name]),
    ...channels.filter((thread) => thread.parent_id === channel.id && (!thread.thread_metadata?.archived || thread.id === state.channel))
      .map((thread) => row(thread, [el("span", { class: "sign" }, "↳"), thread.name], "thread")),
  ]);
  const direct = state.channels.get(state.direct);
  byId("channels").replaceChildren(
    el("h2", {}, "Channels"), ...rows, el("h2", {}, "Direct messages"),
    direct ? row(direct, [avatar(state.bot, "tiny"), state.users.get(state.bot.id)?.name || state.bot.username, el("span", { class: `presence ${state.online ? "on" : ""}`, title: state.online ? "online" : "offline" })]) : "");
  const speaker = byId("speaker");
  speaker.replaceChildren(...[...state.users.values()].filter((user) => !user.bot).map((user) => el("option", { value: user.id, selected: user.id === state.me }, user.name)));
  byId("speaker-avatar").replaceWith(Object.assign(avatar(state.users.get(state.me)), { id: "speaker-avatar" }));
  drawStatus();
}

function channelTitle() {
  const channel = state.channels.get(state.channel);
  if (!channel) return "";
  return channel.type === 1 ? state.users.get(state.bot.id)?.name : channel.name;
}

function drawHead() {
  const channel = state.channels.get(state.channel);
  const sign = { 0: "#", 1: "@" }[channel.type] ?? "↳";
  byId("channel-name").replaceChildren(el("span", { class: "sign" }, sign), channelTitle());
  byId("channel-topic").textContent = channel.topic || "";
  byId("messages").setAttribute("aria-label", `Messages in ${channelTitle()}`);
  document.title = `${sign}${channelTitle()} · Darkroom playground`;
  byId("composer-text").placeholder = `Message ${sign}${channelTitle()} as ${state.users.get(state.me).name}`;
}

function drawStatus() {
  const status = byId("status");
  const text = state.connected ? (state.online ? "" : "The bot is not connected yet") : "Connecting to the playground…";
  status.textContent = text;
  status.hidden = !text;
}

function drawMessages() {
  const channel = state.channels.get(state.channel);
  byId("beginning").replaceChildren(state.more ? el("button", { class: "textual", type: "button", onclick: loadOlder }, "Show earlier messages")
    : el("div", { class: "welcome" }, el("div", { class: "big-sign", "aria-hidden": "true" }, channel?.type === 1 ? "@" : "#"), el("strong", {}, channel?.type === 1 ? `This is where ${channelTitle()} and you meet alone` : `Welcome to ${channelTitle()}`),
      el("p", {}, "Type ", el("kbd", {}, "/"), " for commands, for example ", el("code", {}, "/imagine a red fox wearing sunglasses"))));
  byId("messages").replaceChildren(...state.messages.map((message, index) => view.item(message, state.messages[index - 1])));
  keepTabbable();
}

function redraw(id) {
  const index = state.messages.findIndex((message) => message.id === id);
  const old = itemOf(id);
  if (index < 0 || !old) return;
  following(() => replaceItem(old, view.item(state.messages[index], state.messages[index - 1])));
  keepTabbable();
}

/** The newest message can be reached with Tab; arrows go on from there. */
function keepTabbable() {
  const items = [...byId("messages").children];
  items.forEach((item, index) => { item.tabIndex = index === items.length - 1 ? 0 : -1; });
}

// --- following the end ---------------------------------------------------------------------------

let atEnd = true;
let lastTop = 0; // where the scroller stood when it was last looked at
/** To the newest message, and to stay there: also when somebody says something, to see what comes of it. */
function toEnd() {
  const box = byId("scroller");
  box.scrollTop = box.scrollHeight;
  lastTop = box.scrollTop;
  atEnd = true;
  byId("newest").hidden = true;
}
function lookWhere() {
  const box = byId("scroller");
  lastTop = box.scrollTop;
  atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END;
  if (atEnd) byId("newest").hidden = true;
}
function following(change) {
  if (byId("scroller").scrollTop < lastTop) lookWhere(); // scrolled up, and its event is yet to come
  change();
  if (atEnd) toEnd();
}
byId("scroller").addEventListener("scroll", () => {
  lookWhere();
  if (byId("scroller").scrollTop < 80) loadOlder();
}, { passive: true });
byId("newest").addEventListener("click", toEnd);
new ResizeObserver(() => { if (atEnd) toEnd(); }).observe(byId("messages"));
new ResizeObserver(() => { if (atEnd) toEnd(); }).observe(byId("scroller"));

// --- live events ---------------------------------------------------------------------------------

const HEARD = {
  MESSAGE_CREATE: created, MESSAGE_UPDATE: updated, MESSAGE_DELETE: deleted,
  MESSAGE_REACTION_ADD: (data) => reacted(data, true), MESSAGE_REACTION_REMOVE: (data) => reacted(data, false),
  MESSAGE_REACTION_REMOVE_ALL: (data) => change(data.message_id, (message) => ({ ...message, reactions: [] })),
  INTERACTION: interactionNews, COMMANDS: reloadCommands, TYPING_START: typing,
  PRESENCE: (data) => { presences++; state.online = data.online; drawSidebar(); metBot(); },
  CHANNEL_CREATE: refreshChannels, CHANNEL_UPDATE: refreshChannels, CHANNEL_DELETE: refreshChannels,
  THREAD_CREATE: refreshChannels, THREAD_UPDATE: refreshChannels, THREAD_DELETE: refreshChannels,
  GUILD_MEMBER_ADD: refreshChannels, GUILD_MEMBER_UPDATE: refreshChannels,
};

function hear(event) {
  const { name, data, channel } = event;
  if (name.startsWith("MESSAGE_") && !name.startsWith("MESSAGE_REACTION")) state.meanwhile?.push(event); // safe to hear twice
  const othersOnly = data.only_for && data.only_for !== state.me;
  if (othersOnly && name !== "INTERACTION") return; // what one started as someone else still has to settle
  HEARD[name]?.(data, channel);
}

function created(message, channel) {
  state.typing.delete(message.author.id);
  drawTyping();
  if (channel !== state.channel) {
    if (state.channels.has(channel)) { state.unread.add(channel); drawSidebar(); }
    return;
  }
  if (state.messages.some((known) => known.id === message.id)) return;
  state.messages.push(message);
  following(() => byId("messages").append(view.item(message, state.messages.at(-2))));
  keepTabbable();
  if (!atEnd) byId("newest").hidden = false;
  if (message.author.id !== state.me) announce(`${host.person(message.author.id)?.name}: ${isLoading(message) ? "thinking" : plainText(message, names) || "sent a picture"}`);
}

function updated(message) {
  const index = state.messages.findIndex((known) => known.id === message.id);
  if (index < 0) return;
  const before = state.messages[index];
  message.reactions = withReactors(before, message);
  state.messages[index] = message;
  redraw(message.id);
  if (isLoading(before) && !isLoading(message)) announce(`${host.person(message.author.id)?.name}: ${plainText(message, names) || "sent a picture"}`);
}

/** Who reacted is not part of a message; keep what the page has seen. */
function withReactors(before, message) {
  return message.reactions?.map((reaction) => ({ ...reaction, users: before.reactions?.find((known) => known.emoji.name === reaction.emoji.name)?.users || [] }));
}

function deleted(data) {
  state.messages = state.messages.filter((message) => message.id !== data.id);
  const item = itemOf(data.id);
  if (!item) return;
  if (item.contains(document.activeElement)) byId("composer-text").focus();
  drawMessages();
}

function change(id, how) {
  const index = state.messages.findIndex((message) => message.id === id);
  if (index < 0) return;
  state.messages[index] = how(state.messages[index]);
  redraw(id);
}

function reacted(data, on) {
  change(data.message_id, (message) => {
    const others = (message.reactions || []).filter((reaction) => reaction.emoji.name !== data.emoji.name);
    const known = (message.reactions || []).find((reaction) => reaction.emoji.name === data.emoji.name) || { emoji: data.emoji, count: 0, users: [] };
    const users = new Set(known.users || []);
    if (on) users.add(data.user_id); else users.delete(data.user_id);
    const count = known.count + (on ? 1 : -1);
    const reaction = { ...known, count, users: [...users] };
    const reactions = (message.reactions || []).some((item) => item.emoji.name === data.emoji.name)
      ? message.reactions.map((item) => (item.emoji.name === data.emoji.name ? reaction : item)) : [...others, reaction];
    return { ...message, reactions: reactions.filter((item) => item.count > 0) };
  });
}

async function reloadCommands() {
  const data = await attempt(load("channel", { user: state.me, channel: state.channel }));
  if (!data) return;
  state.commands = data.commands;
  composer.commandsChanged();
}

async function refreshChannels() {
  await attempt(loadState(state.me));
  if (!state.channels.has(state.channel)) await openChannel([...state.channels.keys()][0]);
}

function typing(data, channel) {
  if (channel !== state.channel || data.user_id === state.me) return;
  state.typing.set(data.user_id, Date.now());
  drawTyping();
  setTimeout(drawTyping, TYPING_SHOWN + 100);
}

function drawTyping() {
  const now = Date.now();
  const who = [...state.typing].filter(([, since]) => now - since < TYPING_SHOWN).map(([id]) => state.users.get(id)?.name);
  byId("typing").textContent = who.length ? `${who.join(" and ")} ${who.length > 1 ? "are" : "is"} typing…` : "";
}

// --- commands, buttons, forms ----------------------------------------------------------------------

/** What the interaction brings: its news once the bot has answered, or the failure after three seconds. */
function outcome(id) {
  return new Promise((resolve, reject) => {
    const settle = (news) => {
      state.interactions.delete(id);
      if (news.state === "failed") reject(new Refused("This interaction failed: the bot did not answer in time."));
      else resolve(news);
    };
    if (early.has(id)) { settle(early.get(id)); early.delete(id); } else state.interactions.set(id, settle);
  });
}

function interactionNews(news) {
  const settle = state.interactions.get(news.id);
  if (settle) settle(news);
  else {
    early.set(news.id, news);
    if (early.size > 50) early.delete(early.keys().next().value);
  }
}

/** Resolves once the bot is connected: one that still starts could not answer in time. */
function online() {
  return state.online ? Promise.resolve() : new Promise((resolve) => whenOnline.push(resolve));
}

function metBot() {
  if (state.online) whenOnline.splice(0).forEach((resolve) => resolve());
}

/** Start an interaction; a form that the bot answers with is shown. */
async function interact(name, body, files = []) {
  await online();
  const { interaction } = await act(name, body, files);
  const news = await outcome(interaction);
  if (news.state === "modal") {
    openForm(news.modal, selectOptions, async (values, formFiles, indexes) => {
      await interact("modal", { user: state.me, interaction, values, files: indexes }, formFiles);
    });
  }
  return news;
}

async function run(line, chosen, files, allFiles) {
  toEnd();
  await online();
  const { interaction, command } = await act("command", here({ line, chosen, files }), allFiles);
  followUp(interaction, command);
}

/** A command's message box is free again at once; a form or a failure comes later. */
async function followUp(interaction, command) {
  try {
    const news = await outcome(interaction);
    if (news.state === "modal") {
      openForm(news.modal, selectOptions, async (values, formFiles, indexes) => {
        await interact("modal", { user: state.me, interaction, values, files: indexes }, formFiles);
      });
    }
  } catch (error) {
    composer.fail(`/${command}: ${error.message}`);
  }
}

async function complete(line, option, text) {
  try {
    const { interaction } = await act("autocomplete", here({ line, option, text }));
    return (await outcome(interaction)).choices || [];
  } catch {
    return []; // no choices: what is typed stands
  }
}

async function useComponent(message, customId, values = []) {
  const key = `${message.id}:${customId}`;
  host.busy.add(key);
  host.failures.delete(message.id);
  redraw(message.id);
  try {
    await interact("component", here({ message: message.id, custom_id: customId, values }));
  } catch (error) {
    host.failures.set(message.id, error.message);
  } finally {
    host.busy.delete(key);
    redraw(message.id);
  }
}

function selectOptions(select) {
  if (select.type === 3) return select.options;
  const entity = (item, label) => ({ value: item.id, label });
  const users = () => host.people().map((user) => entity(user, `@${user.name}`));
  const roles = () => host.roles().map((role) => entity(role, `@${role.name}`));
  return { 5: users, 6: roles, 7: () => [...users(), ...roles()], 8: () => host.channels().map((channel) => entity(channel, `#${channel.name}`)) }[select.type]?.() || [];
}

// --- menus -----------------------------------------------------------------------------------------

function openReactions(anchor, message) {
  const row = el("div", { class: "emoji-row" }, EMOJI.map((emoji) => el("button", { type: "button", role: "menuitem", "aria-label": emoji, onclick: () => { closeMenu(); host.react(message, emoji, true); } }, emoji)));
  openMenu(anchor, [{ element: row }]);
}

function contextCommands(type, target) {
  return state.commands.filter((command) => command.type === type).map((command) => ({
    label: command.name, action: () => attempt(interact("context", here({ command: command.id, target }))),
  }));
}

function openMore(anchor, message) {
  const mine = message.author.id === state.me;
  const channel = state.channels.get(state.channel);
  openMenu(anchor, [
    ...contextCommands(3, message.id),
    message.content ? { label: "Copy text", action: () => navigator.clipboard?.writeText(message.content) } : null,
    channel.type === 0 && !message.thread && !message.only_for ? { label: "Start a thread", action: () => startThread(message) } : null,
    mine ? { label: "Edit", action: () => editMessage(message) } : null,
    mine || message.only_for || state.users.get(state.me)?.role_colour ? { label: "Delete", danger: true, action: () => attempt(act("delete", here({ message: message.id }))) } : null,
  ].filter(Boolean));
}

function openPerson(anchor, person) {
  openMenu(anchor, [
    { label: `Mention ${person.name || person.username}`, action: () => composer.set(`${composer.text.value}@${person.name || person.username} `) },
    ...contextCommands(2, person.id),
  ]);
}

function ask(title, label, value, done) {
  const component = { type: 18, label, component: { type: 4, custom_id: "value", value, style: value.length > 60 ? 2 : 1 } };
  openForm({ title, components: [component] }, selectOptions, (values) => done(values.value));
}

const startThread = (message) => ask("Start a thread", "Name", plainText(message, names).slice(0, 40) || "New thread", async (name) => {
  const { id } = await act("thread", here({ message: message.id, name }));
  await openChannel(id);
});
const editMessage = (message) => ask("Edit message", "Text", message.content, (content) => act("edit", here({ message: message.id, content })));

// --- keyboard and layout ---------------------------------------------------------------------------

function moveFocus(from, step) {
  const items = [...byId("messages").children];
  const index = from ? items.indexOf(from) + step : items.length - 1;
  const next = items[index];
  if (next) next.focus();
  else if (index >= items.length) byId("composer-text").focus();
}

byId("messages").addEventListener("keydown", (event) => {
  const item = event.target.closest(".message");
  if (event.key === "Escape") byId("composer-text").focus();
  if (event.target !== item) return;
  const actions = {
    ArrowUp: () => moveFocus(item, -1), ArrowDown: () => moveFocus(item, 1),
    ArrowRight: () => item.querySelector(".toolbar button")?.focus(),
    Enter: () => item.querySelector(".components button, .components select, .picture, a")?.focus(),
    r: () => { const message = state.messages.find((known) => known.id === item.dataset.id); if (message && !message.only_for) host.replyTo(message); },
  };
  if (!actions[event.key] || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  actions[event.key]();
});

byId("messages").addEventListener("keydown", (event) => {
  const bar = event.target.closest(".toolbar");
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!bar || !step) return;
  event.preventDefault();
  const tools = [...bar.children];
  const next = tools[tools.indexOf(event.target) + step];
  (next || bar.closest(".message")).focus();
});

function toggleSidebar(open) {
  document.body.classList.toggle("sidebar-open", open);
  byId("menu").setAttribute("aria-expanded", String(open));
  byId("scrim").hidden = !open;
}
byId("menu").addEventListener("click", () => toggleSidebar(!document.body.classList.contains("sidebar-open")));
byId("scrim").addEventListener("click", () => toggleSidebar(false));
document.addEventListener("keydown", (event) => { if (event.key === "Escape") toggleSidebar(false); });

byId("speaker").addEventListener("change", async (event) => {
  const leaving = state.channels.get(state.channel);
  await attempt(loadState(event.target.value));
  const next = leaving?.type === 1 ? state.direct : state.channel;
  await openChannel(state.channels.has(next) ? next : [...state.channels.keys()][0]);
});

setInterval(refreshTimes, 1000);
setInterval(() => state.messages.filter(isLoading).forEach((message) => redraw(message.id)), 30000);

start().catch((error) => { byId("status").textContent = error.message; });
