// What opens above the page: an enlarged picture, a bot's form, small menus.

import { byId, el } from "./dom.js";

// --- lightbox ----------------------------------------------------------------------------------

/** Show a picture large; a click or Escape closes it. */
export function openLightbox(url, description) {
  const box = byId("lightbox");
  box.replaceChildren(
    el("button", { class: "icon close", type: "button", "aria-label": "Close", onclick: () => box.close() }, "✕"),
    el("img", { src: url, alt: description }),
    el("p", {}, description, " · ", el("a", { href: url, target: "_blank", rel: "noopener" }, "Open original")));
  box.onclick = (event) => { if (event.target.tagName !== "A") box.close(); };
  box.showModal();
}

// --- small menus -------------------------------------------------------------------------------

let opener = null;

/** A menu beside `anchor`: entries are `{label, action, danger}`, or `{element}` for something else. */
export function openMenu(anchor, entries) {
  const menu = byId("popover");
  opener = anchor;
  menu.replaceChildren(...entries.map((entry) => entry.element || el("button", { type: "button", role: "menuitem", class: entry.danger ? "danger" : "", onclick: () => { closeMenu(); entry.action(); } }, entry.label)));
  menu.hidden = false;
  const at = anchor.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(at.left, innerWidth - menu.offsetWidth - 8))}px`;
  const below = at.bottom + 4;
  menu.style.top = `${below + menu.offsetHeight > innerHeight - 8 ? Math.max(8, at.top - menu.offsetHeight - 4) : below}px`;
  menu.querySelector("button")?.focus();
}

/** Close the menu and give the focus back. */
export function closeMenu() {
  const menu = byId("popover");
  if (menu.hidden) return false;
  menu.hidden = true;
  opener?.focus?.({ preventScroll: true });
  return true;
}

byId("popover").addEventListener("keydown", (event) => {
  const items = [...byId("popover").querySelectorAll("button")];
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  items[(items.indexOf(document.activeElement) + step + items.length) % items.length]?.focus();
});
document.addEventListener("pointerdown", (event) => {
  if (!byId("popover").hidden && !byId("popover").contains(event.target)) closeMenu();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && closeMenu()) event.stopPropagation();
}, true);

// --- a bot's form ------------------------------------------------------------------------------

/** Show a modal; `submit(values, files, fileIndexes)` resolves once the bot has answered. */
export function openForm(modal, options, submit) {
  const dialog = byId("modal");
  const fields = [];
  const error = el("p", { class: "failed", role: "alert", hidden: true });
  const send = el("button", { class: "button primary", type: "submit" }, "Submit");
  const rows = modal.components.map((component) => formRow(component, options, fields));
  const form = el("form", { method: "dialog" },
    el("h2", { id: "modal-title" }, modal.title), rows, error,
    el("div", { class: "dialog-buttons" }, el("button", { class: "button secondary", type: "button", onclick: () => dialog.close() }, "Cancel"), send));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    error.hidden = true;
    send.disabled = true;
    const { values, files, indexes } = collected(fields);
    try {
      await submit(values, files, indexes);
      dialog.close();
    } catch (problem) {
      error.textContent = problem.message;
      error.hidden = false;
    } finally {
      send.disabled = false;
    }
  });
  dialog.replaceChildren(form);
  dialog.showModal();
  dialog.querySelector("input, textarea, select")?.focus();
}

function collected(fields) {
  const values = {};
  const files = [];
  const indexes = {};
  for (const field of fields) {
    const value = field.read();
    if (field.isFile) indexes[field.id] = value.map((file) => files.push(file) - 1);
    else if (value !== undefined) values[field.id] = value;
  }
  return { values, files, indexes };
}

function formRow(component, options, fields) {
  if (component.type === 10) return el("p", {}, component.content);
  const inner = component.type === 18 ? component.component : component.components?.[0];
  if (!inner) return null;
  const field = formField(inner, options);
  fields.push(field);
  const required = inner.required !== false && inner.type !== 23;
  return el("label", { class: "form-row" },
    el("span", {}, component.label || inner.label || "", required ? el("b", { class: "required", title: "required" }, " *") : null),
    component.description ? el("small", {}, component.description) : null, field.element);
}

function formField(inner, options) {
  const id = inner.custom_id;
  if (inner.type === 4) {
    const element = el(inner.style === 2 ? "textarea" : "input", { value: inner.value || "", placeholder: inner.placeholder || "", maxLength: inner.max_length || 4000, required: inner.required !== false, rows: 4, name: id });
    return { id, element, read: () => element.value };
  }
  if (inner.type === 19) {
    const element = el("input", { type: "file", multiple: (inner.max_values ?? 1) > 1, required: inner.required !== false });
    return { id, element, isFile: true, read: () => [...element.files] };
  }
  if (inner.type === 23) {
    const element = el("input", { type: "checkbox", checked: Boolean(inner.default) });
    return { id, element, read: () => element.checked };
  }
  if (inner.type === 21 || inner.type === 22) {
    const type = inner.type === 21 ? "radio" : "checkbox";
    const element = el("div", { class: "choices" }, inner.options.map((option) => el("label", {}, el("input", { type, name: id, value: option.value, checked: Boolean(option.default) }), ` ${option.label}`)));
    const chosen = () => [...element.querySelectorAll("input:checked")].map((box) => box.value);
    return { id, element, read: () => (inner.type === 21 ? chosen()[0] : chosen()) };
  }
  const many = (inner.max_values ?? 1) > 1;
  const element = el("select", { multiple: many, required: inner.required !== false },
    many ? null : el("option", { value: "" }, inner.placeholder || "Choose one"),
    options(inner).map((option) => el("option", { value: option.value, selected: Boolean(option.default) }, option.label)));
  return { id, element, read: () => [...element.selectedOptions].map((option) => option.value).filter(Boolean) };
}
