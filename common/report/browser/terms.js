/* Explanations of terms, which show at the pointer and at the keyboard's focus, and stay while the pointer is on them;
Escape hides them. */

const LINGER = 300; // milliseconds for the pointer to go from a term to its explanation
const tip = element("div", { class: "tip", popover: "manual", role: "tooltip", onmouseleave: leaveTip });
const tipState = { trigger: null, timer: 0, wasInView: false };

/* Makes an element show `about` while it is pointed at or has the focus. */
function explain(trigger, about) {
  if (!about) return trigger;
  trigger.classList.add("explained");
  trigger.setAttribute("aria-description", about);
  const show = () => {
    tipState.trigger = trigger;
    tipState.wasInView = isInView(trigger);
    if (!tip.isConnected) document.body.append(tip);
    tip.textContent = about;
    tip.showPopover();
    placeTip();
  };
  trigger.addEventListener("mouseenter", show);
  trigger.addEventListener("focus", () => trigger.matches(":focus-visible") && show());
  for (const name of ["mouseleave", "blur"]) trigger.addEventListener(name, leaveTip);
  return trigger;
}

/* Puts the explanation under its term, or over it where there is no room. */
function placeTip() {
  const place = tipState.trigger.getBoundingClientRect();
  const left = Math.min(place.left, innerWidth - tip.offsetWidth - 12);
  const isBelow = place.bottom + tip.offsetHeight + 12 < innerHeight;
  tip.style.setProperty("left", `${Math.max(12, left)}px`);
  tip.style.setProperty("top", `${isBelow ? place.bottom + 6 : place.top - tip.offsetHeight - 6}px`);
}

/* A word that can be pointed at and focused, with an explanation. */
function term(text, about) {
  return about ? explain(element("span", { class: "term", tabindex: 0 }, text), about) : text;
}

/* Hides the explanation soon, unless the pointer or the focus is then on it or on its term. */
function leaveTip() {
  clearTimeout(tipState.timer);
  tipState.timer = setTimeout(() => {
    if (!tip.matches(":hover") && !tipState.trigger?.matches(":hover, :focus-visible")) hideTip();
  }, LINGER);
}

function hideTip() {
  if (tip.matches(":popover-open")) tip.hidePopover();
}

function isInView(trigger) {
  const { top, bottom } = trigger.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}

/* Keeps the explanation at its term until that leaves the view. A term that gets the focus scrolls into view itself. */
function followTerm() {
  if (!tip.matches(":popover-open")) return;
  const wasInView = tipState.wasInView;
  tipState.wasInView = isInView(tipState.trigger);
  if (wasInView && !tipState.wasInView) hideTip();
  else placeTip();
}

document.addEventListener("keydown", (event) => event.key === "Escape" && hideTip());
document.addEventListener("scroll", followTerm, { passive: true, capture: true });
