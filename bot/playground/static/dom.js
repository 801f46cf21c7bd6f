// Small helpers to build elements. Text always enters as text, never as HTML.

/** An element with properties (`class`, `data-*`, `aria-*`, `on*` and DOM properties) and children. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "style") Object.assign(element.style, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "role" || name === "for" || name === "width" || name === "height")
      element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

const HUES = [12, 205, 150, 275, 45, 330, 95, 235];

/** A round avatar with initials, its colour from the id. */
export function avatar(user, extra = "") {
  if (user.bot) return el("span", { class: `avatar bot ${extra}`, "aria-hidden": "true" });
  const name = user.name || user.global_name || user.username;
  const initials = name.split(/\s+/).map((word) => word[0]).slice(-2).join("").toUpperCase();
  const hue = HUES[[...String(user.id)].reduce((sum, digit) => (sum * 7 + Number(digit)) % 997, 0) % HUES.length];
  return el("span", { class: `avatar ${extra}`, style: { background: `hsl(${hue} 45% 42%)` }, "aria-hidden": "true" }, initials);
}

/** Bytes for people. */
export function fileSize(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(0)} KB` : `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}

/** An address that may be followed, or null. */
export function safeUrl(text) {
  try {
    const url = new URL(text);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}

/** Whether a picture may be loaded: only what this playground serves. */
export const isOwn = (url) => url.startsWith(`${location.origin}/`) || url.startsWith("blob:");
