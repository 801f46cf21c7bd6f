// One message as an element: author line, text, files, embeds, components, reactions.

import { avatar, byId, el, fileSize, isOwn, safeUrl } from "./dom.js";
import { openLightbox } from "./dialogs.js";
import { isJumbo, markdown } from "./markdown.js";

const LOADING = 1 << 7;
const EPHEMERAL = 1 << 6;
const V2 = 1 << 15;
const GROUPED = 7 * 60 * 1000; // milliseconds within which one author's messages share a header
const BUTTON_STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link" };

export const isLoading = (message) => Boolean(message.flags & LOADING);

/** Renders messages; `host` gives names, the current user, and what clicks do. */
export class MessageView {
  constructor(host) {
    this.host = host;
  }

  /** The list item of a message; `before` is the one above it. */
  item(message, before) {
    const { host } = this;
    const author = host.person(message.author.id) || message.author;
    const grouped = this.isGrouped(message, before);
    const forMe = message.mentions?.some((user) => user.id === host.me) || message.mention_everyone;
    const classes = ["message", grouped && "grouped", message.only_for && "ephemeral", forMe && "for-me"];
    return el("li", { class: classes.filter(Boolean).join(" "), tabIndex: -1, "data-id": message.id,
      "aria-label": `${author.name || author.username}: ${plainText(message, host.names) || "message"}` },
      this.origin(message),
      grouped ? el("span", { class: "gutter-time", "aria-hidden": "true" }, clock(message.timestamp)) : avatar(author),
      el("div", { class: "body" },
        grouped ? null : this.header(message, author),
        this.body(message),
        this.footer(message)),
      isLoading(message) ? null : this.toolbar(message));
  }

  isGrouped(message, before) {
    if (!before || before.author.id !== message.author.id || message.type === 19 || message.interaction_metadata) return false;
    if (Boolean(before.only_for) !== Boolean(message.only_for)) return false;
    return new Date(message.timestamp) - new Date(before.timestamp) < GROUPED;
  }

  origin(message) {
    if (message.referenced_message) {
      const target = message.referenced_message;
      const author = this.host.person(target.author.id) || target.author;
      return el("button", { class: "origin", type: "button", onclick: () => this.host.jumpTo(target.id), "aria-label": `In reply to ${author.name || author.username}` },
        avatar(author, "tiny"), el("b", {}, author.name || author.username), el("span", { class: "cut" }, plainText(target, this.host.names) || "a picture"));
    }
    if (message.type === 19) return el("span", { class: "origin" }, el("i", {}, "The original message was deleted"));
    const command = message.interaction_metadata;
    if (!command || ![20, 23].includes(message.type)) return null;
    const user = this.host.person(command.user.id) || command.user;
    const name = command.name || "a command";
    return el("span", { class: "origin" }, avatar(user, "tiny"), el("b", {}, user.name || user.username), " used ",
      el("span", { class: "mention" }, message.type === 20 ? `/${name}` : name));
  }

  header(message, author) {
    const name = author.name || author.username;
    return el("div", { class: "header" },
      el("button", { class: "author", type: "button", style: { color: author.role_colour || "" }, onclick: (event) => this.host.openPerson(event.currentTarget, author) }, name),
      author.bot ? el("span", { class: "app" }, "APP") : null,
      el("time", { dateTime: message.timestamp, title: new Date(message.timestamp).toLocaleString() }, day(message.timestamp)));
  }

  body(message) {
    if (isLoading(message)) return this.thinking(message);
    if (message.type === 18) return el("p", { class: "notice" }, "started a thread: ", el("button", { class: "textual", type: "button", onclick: () => this.host.openChannel(message.message_reference.channel_id) }, message.content));
    const v2 = Boolean(message.flags & V2);
    const parts = [];
    if (message.content) parts.push(el("div", { class: `text${isJumbo(message.content) ? " jumbo" : ""}` }, markdown(message.content, this.host.names), message.edited_timestamp ? edited() : null));
    if (!v2) parts.push(this.attachments(message.attachments), message.embeds.map((embed) => this.embed(embed)));
    if (!message.content && message.edited_timestamp && !v2) parts.push(edited());
    parts.push(this.components(message));
    return parts;
  }

  thinking(message) {
    const age = (Date.now() - new Date(message.timestamp)) / 1000;
    if (age > this.host.limits.token_seconds) return el("p", { class: "failed" }, "The application did not respond");
    const name = this.host.person(message.author.id)?.name || message.author.username;
    return el("p", { class: "thinking" }, el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i")), `${name} is thinking…`);
  }

  footer(message) {
    const failure = this.host.failures.get(message.id);
    return [
      failure ? el("p", { class: "failed", role: "alert" }, failure) : null,
      this.reactions(message),
      message.thread ? el("button", { class: "thread-link", type: "button", onclick: () => this.host.openChannel(message.thread.id) }, `# ${message.thread.name}`, el("span", {}, ` ${message.thread.message_count} messages ›`)) : null,
      message.flags & EPHEMERAL ? el("p", { class: "only-you" }, "Only you can see this • ", el("button", { class: "textual", type: "button", onclick: () => this.host.dismiss(message.id) }, "Dismiss message")) : null,
    ];
  }

  // --- files and embeds ------------------------------------------------------------------------

  attachments(attachments) {
    if (!attachments.length) return null;
    const pictures = attachments.filter((item) => item.content_type?.startsWith("image/"));
    const others = attachments.filter((item) => !pictures.includes(item));
    return [
      pictures.length ? el("div", { class: `pictures count-${Math.min(pictures.length, 5)}` }, pictures.map((item) => picture(item, item.description || item.filename))) : null,
      others.map((item) => fileCard(item)),
    ];
  }

  embed(embed) {
    const { names } = this.host;
    const colour = embed.color ? `#${embed.color.toString(16).padStart(6, "0")}` : "";
    const title = embed.title ? markdown(embed.title, names) : null;
    const href = embed.url && safeUrl(embed.url);
    return el("article", { class: `embed${embed.thumbnail ? " with-thumbnail" : ""}`, style: { borderLeftColor: colour } },
      embed.author ? el("div", { class: "embed-author" }, ownIcon(embed.author.icon_url), embed.author.name) : null,
      title ? el("div", { class: "embed-title" }, href ? el("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, title) : title) : null,
      embed.description ? el("div", { class: "text" }, markdown(embed.description, names)) : null,
      embed.fields?.length ? el("div", { class: "fields" }, embed.fields.map((field) => el("div", { class: field.inline ? "field inline" : "field" },
        el("div", { class: "field-name" }, markdown(field.name, names)), el("div", { class: "text" }, markdown(field.value, names))))) : null,
      embed.image ? picture(embed.image, embed.image.description || embed.title || "Picture") : null,
      embed.thumbnail ? el("div", { class: "thumbnail" }, picture(embed.thumbnail, "Thumbnail")) : null,
      embed.footer || embed.timestamp ? el("div", { class: "embed-footer" }, ownIcon(embed.footer?.icon_url), [embed.footer?.text, embed.timestamp && day(embed.timestamp)].filter(Boolean).join(" • ")) : null);
  }

  // --- components ------------------------------------------------------------------------------

  components(message) {
    if (!message.components.length) return null;
    return el("div", { class: "components" }, message.components.map((item) => this.component(message, item)));
  }

  component(message, item) {
    const draw = {
      1: () => el("div", { class: "row" }, item.components.map((child) => this.component(message, child))),
      2: () => this.button(message, item),
      3: () => this.select(message, item), 5: () => this.select(message, item), 6: () => this.select(message, item),
      7: () => this.select(message, item), 8: () => this.select(message, item),
      9: () => el("div", { class: "section" }, el("div", {}, item.components.map((child) => this.component(message, child))), this.component(message, item.accessory)),
      10: () => el("div", { class: "text" }, markdown(item.content, this.host.names)),
      11: () => el("div", { class: "thumbnail" }, picture(item.media, item.description || "Picture")),
      12: () => el("div", { class: `pictures count-${Math.min(item.items.length, 5)}` }, item.items.map((entry) => picture(entry.media, entry.description || "Picture"))),
      13: () => fileCard({ ...item.file, filename: item.name || item.file.url.split("/").pop().split("?")[0], size: item.size }),
      14: () => (item.divider === false ? el("div", { class: "gap" }) : el("hr")),
      17: () => el("div", { class: "container", style: { borderLeftColor: item.accent_color ? `#${item.accent_color.toString(16).padStart(6, "0")}` : "" } }, item.components.map((child) => this.component(message, child))),
    }[item.type];
    return draw ? draw() : null;
  }

  button(message, item) {
    const label = [item.emoji ? el("span", { class: "emoji" }, item.emoji.id ? `:${item.emoji.name}:` : item.emoji.name) : null, item.label || ""];
    if (item.style === 5) return el("a", { class: "button link", href: safeUrl(item.url) || "#", target: "_blank", rel: "noopener noreferrer" }, label, el("span", { "aria-hidden": "true" }, " ↗"));
    const busy = this.host.busy.has(`${message.id}:${item.custom_id}`);
    return el("button", { class: `button ${BUTTON_STYLES[item.style] || "secondary"}${busy ? " busy" : ""}`, type: "button",
      disabled: Boolean(item.disabled) || busy, "aria-busy": busy ? "true" : null, "data-key": item.custom_id,
      onclick: () => this.host.useComponent(message, item.custom_id) }, label);
  }

  select(message, item) {
    const options = this.host.selectOptions(item);
    const many = (item.max_values ?? 1) > 1;
    const busy = this.host.busy.has(`${message.id}:${item.custom_id}`);
    const label = item.placeholder || (many ? "Choose some" : "Choose one");
    if (!many) {
      const none = !options.some((option) => option.default);
      return el("select", { class: "menu", disabled: Boolean(item.disabled) || busy, "aria-label": label, "data-key": item.custom_id,
        onchange: (event) => this.host.useComponent(message, item.custom_id, [event.target.value]) },
        el("option", { value: "", disabled: true, selected: none }, label),
        options.map((option) => el("option", { value: option.value, selected: Boolean(option.default) }, [option.emoji?.name, option.label].filter(Boolean).join(" "), option.description ? ` — ${option.description}` : "")));
    }
    const boxes = options.map((option) => el("label", {}, el("input", { type: "checkbox", value: option.value, checked: Boolean(option.default) }), ` ${option.label}`, option.description ? el("small", {}, ` ${option.description}`) : null));
    const choose = (event) => this.host.useComponent(message, item.custom_id, [...event.currentTarget.closest("details").querySelectorAll("input:checked")].map((box) => box.value));
    return el("details", { class: "menu many", "data-key": item.custom_id }, el("summary", {}, label), boxes, el("button", { class: "button primary", type: "button", disabled: Boolean(item.disabled) || busy, onclick: choose }, "Choose"));
  }

  // --- reactions and toolbar -------------------------------------------------------------------

  reactions(message) {
    if (!message.reactions?.length) return null;
    return el("div", { class: "reactions" }, message.reactions.map((reaction) => {
      const name = reaction.emoji.name;
      const mine = reaction.users?.includes(this.host.me);
      return el("button", { class: `reaction${mine ? " mine" : ""}`, type: "button", "aria-pressed": String(Boolean(mine)), "aria-label": `${name}, ${reaction.count}`, onclick: () => this.host.react(message, name, !mine) }, name, el("b", {}, reaction.count));
    }));
  }

  toolbar(message) {
    const { host } = this;
    const tool = (label, sign, action) => el("button", { class: "icon", type: "button", tabIndex: -1, "aria-label": label, title: label, onclick: action }, sign);
    return el("div", { class: "toolbar", role: "toolbar", "aria-label": "Message actions" },
      message.only_for ? null : tool("Add a reaction", "☺", (event) => host.openReactions(event.currentTarget, message)),
      message.only_for ? null : tool("Reply", "↩", () => host.replyTo(message)),
      tool("More", "⋯", (event) => host.openMore(event.currentTarget, message)));
  }
}

/** The element in place of the old one: focus, open menus and the picture shown so far carry over. */
export function replaceItem(old, fresh) {
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const key = focused?.dataset.key;
  const before = old.querySelectorAll("img.media");
  fresh.querySelectorAll("img.media").forEach((img, index) => {
    const shown = before[index];
    if (!shown) return;
    if (shown.src === img.src) img.replaceWith(shown);
    else if (shown.complete) img.style.backgroundImage = `url("${shown.src}")`;
  });
  old.replaceWith(fresh);
  if (focused === old) fresh.focus({ preventScroll: true });
  else if (key) [...fresh.querySelectorAll("[data-key]")].find((item) => item.dataset.key === key)?.focus({ preventScroll: true });
}

function picture(media, description) {
  if (!isOwn(media.url)) {
    const href = safeUrl(media.url);
    return href ? el("a", { class: "outside", href, target: "_blank", rel: "noopener noreferrer nofollow" }, "Picture elsewhere: ", href) : null;
  }
  const image = el("img", { class: "media", src: media.url, alt: description, width: media.width, height: media.height, loading: "lazy", decoding: "async" });
  if (media.width && media.width < 256) image.classList.add("small");
  return el("button", { class: "picture", type: "button", "aria-label": `Enlarge: ${description}`, onclick: () => openLightbox(media.url, description) }, image);
}

function fileCard(item) {
  const shown = isOwn(item.url) ? item.url : null;
  return el("div", { class: "file" }, el("span", { class: "file-sign", "aria-hidden": "true" }, ""),
    el("div", {}, shown ? el("a", { href: shown, download: item.filename }, item.filename) : item.filename, el("small", {}, item.size ? fileSize(item.size) : "")));
}

const ownIcon = (url) => (url && isOwn(url) ? el("img", { src: url, alt: "", class: "embed-icon" }) : null);
const edited = () => el("small", { class: "edited" }, " (edited)");
const clock = (text) => new Date(text).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

function day(text) {
  const date = new Date(text);
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(date).setHours(0, 0, 0, 0)) / 86400000);
  if (days === 0) return `Today at ${clock(text)}`;
  return days === 1 ? `Yesterday at ${clock(text)}` : `${date.toLocaleDateString()} ${clock(text)}`;
}

/** What a message says, as one line of plain text. */
export function plainText(message, names) {
  const embed = message.embeds?.[0];
  const text = message.content || embed?.title || embed?.description || "";
  const named = text.replace(/<@!?(\d+)>/g, (_, id) => names.user(id)).replace(/<t:\d+(:\w)?>/g, "…");
  return named.replace(/\s+/g, " ").replace(/[*_~`|]/g, "").slice(0, 160);
}

/** Tell people who listen rather than look. */
export function announce(text) {
  byId("announcer").append(el("p", {}, text));
  while (byId("announcer").childElementCount > 8) byId("announcer").firstElementChild.remove();
}
