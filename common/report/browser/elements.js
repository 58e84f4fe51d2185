"use strict";

/* Elements of the page. Whatever comes from data becomes text, never markup. */

const report = JSON.parse(document.getElementById("data").textContent);

/* Tells whether what was begun last is still wanted: a call outdates all earlier ones, and returns a function that is true
until the next one. */
function makeTurns() {
  let turn = 0;
  return () => {
    const own = ++turn;
    return () => own === turn;
  };
}

/* An element with attributes; those that begin with "on" are listeners, and true and false put or leave out. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function section(title, ...children) {
  const id = title.toLowerCase().replace(/\W+/g, "-");
  return element(
    "section",
    { id, "aria-labelledby": id + "-title" },
    element("h2", { id: id + "-title" }, title),
    ...children,
  );
}

/* Choices of which one holds: radio buttons that look like one row of buttons. */
function choices(label, options, chosen, onchange) {
  const name = "choice-" + label.replace(/\W+/g, "-").toLowerCase();
  return element(
    "fieldset",
    { class: "choices" },
    element("legend", { class: "unseen" }, label),
    ...options.map(([value, text]) =>
      element(
        "label",
        {},
        element("input", { type: "radio", name, value, checked: value === chosen, onchange: () => onchange(value) }),
        element("span", {}, text),
      ),
    ),
  );
}

function toggle(label, checked, onchange, title = null) {
  return element(
    "label",
    { class: "toggle", title },
    element("input", { type: "checkbox", checked, onchange: (event) => onchange(event.target.checked) }),
    element("span", {}, label),
  );
}

function select(label, options, chosen, onchange) {
  return element(
    "label",
    { class: "field" },
    element("span", {}, label),
    element(
      "select",
      { onchange: (event) => onchange(event.target.value) },
      ...options.map(([value, text]) => element("option", { value, selected: value === chosen }, text)),
    ),
  );
}

function search(label, onchange) {
  return element("input", {
    type: "search",
    class: "search",
    placeholder: label,
    "aria-label": label,
    autocomplete: "off",
    spellcheck: "false",
    oninput: (event) => onchange(event.target.value),
  });
}

function button(text, onclick, attributes = {}) {
  return element("button", { type: "button", onclick, ...attributes }, text);
}

function number(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2).replace("e+", "e");
  const decimals = size >= 1 ? Math.max(0, digits - 1 - Math.floor(Math.log10(size))) : digits;
  return value.toLocaleString("en", { maximumFractionDigits: decimals });
}

/* A text with an arrow in each direction, A2B. */
function directed(name) {
  return name.replace(/\b([AB])2([AB])\b/g, "$1 → $2");
}

/* A text that begins with a capital. */
function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/* Which way a metric is better; nothing where neither is. */
function arrow(higher) {
  return higher === null ? "" : higher ? "↑" : "↓";
}

/* A picture [width, height, WebP] as an address that can be shown. */
function address(picture) {
  return "data:image/webp;base64," + picture[2];
}

/* An image that is decoded once it comes near the window. */
function lazy(picture, alt) {
  const image = element("img", { alt, width: picture[0], height: picture[1], decoding: "async" });
  image.pending = picture;
  nearby.observe(image);
  return image;
}

const nearby = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      target.src = address(target.pending);
      nearby.unobserve(target);
    }
  },
  { rootMargin: "300px" },
);

/* Before, page 2 of 9, next. */
function pager(page, pages, go) {
  if (pages < 2) return null;
  return element(
    "nav",
    { class: "pager", "aria-label": "Pages" },
    button("Previous", () => go(page - 1), { disabled: page === 0 }),
    element("span", { "aria-live": "polite" }, `Page ${page + 1} of ${pages}`),
    button("Next", () => go(page + 1), { disabled: page === pages - 1 }),
  );
}
