/* The report of a run that is being trained, from its server: asks whether the run has grown, and then reloads, unless
somebody works with the page, whose searches, zooms and choices would be lost. */

const EVERY = 5; // seconds between questions
const REST = 30; // least seconds between two loads
const PLACE = `place of ${location.pathname}${location.search}`;
const FOLLOWS = "follows the run";

function follow() {
  const state = { follows: sessionStorage.getItem(FOLLOWS) !== "no", isUsed: false };
  const began = performance.now();
  const note = element("span", { role: "status" });
  const again = button("Reload", reload, { hidden: true });
  const controls = element(
    "div",
    { class: "controls" },
    element("a", { href: "./" }, "Translate images"),
    toggle("Follow the training", state.follows, (is) => {
      state.follows = is;
      sessionStorage.setItem(FOLLOWS, is ? "yes" : "no");
      look();
    }),
    note,
    again,
  );
  document.querySelector(".top").append(controls);
  const place = sessionStorage.getItem(PLACE);
  sessionStorage.removeItem(PLACE);
  if (place !== null) scrollTo(0, Number(place));

  async function look() {
    if (document.hidden) return;
    try {
      const answer = await fetch(report.live.changed);
      if (!answer.ok) return tell("The server has no report of this run now.", false);
      const { fingerprint } = await answer.json();
      if (fingerprint === report.live.fingerprint) tell("", false);
      else if (!state.follows || isInUse()) tell("The run has grown.", true);
      else if (performance.now() - began >= 1000 * REST) reload();
    } catch {
      tell("The server does not answer.", false);
    }
  }
  function isInUse() {
    const hasFocus = document.querySelector("main").contains(document.activeElement);
    return state.isUsed || hasFocus || document.querySelector("dialog[open]") !== null;
  }
  function tell(text, isNew) {
    if (note.textContent !== text) note.textContent = text;
    again.hidden = !isNew;
  }
  function reload() {
    sessionStorage.setItem(PLACE, scrollY);
    location.reload();
  }
  for (const name of ["input", "change", "click"])
    document.addEventListener(name, ({ target }) => (state.isUsed ||= !controls.contains(target)), { capture: true });
  setInterval(look, 1000 * EVERY);
  document.addEventListener("visibilitychange", look);
}

history.scrollRestoration = "manual";
follow();
