/* The report of a run that is being trained, from its server: asks whether the run has grown, and then reloads. */

const EVERY = 5; // seconds between questions
const PLACE = `place of ${location.pathname}${location.search}`;
const FOLLOWS = "follows the run";

function follow() {
  const state = { follows: sessionStorage.getItem(FOLLOWS) !== "no" };
  const note = element("span", { role: "status" });
  const again = element("a", { href: location.pathname + location.search, hidden: true }, "Reload");
  document.querySelector(".top").append(
    element(
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
    ),
  );
  const place = sessionStorage.getItem(PLACE);
  sessionStorage.removeItem(PLACE);
  if (place !== null) scrollTo(0, Number(place));

  async function look() {
    if (document.hidden) return;
    try {
      const answer = await fetch(report.live.changed);
      const { fingerprint } = await answer.json();
      if (fingerprint === report.live.fingerprint) tell("", false);
      else if (!state.follows || document.querySelector("dialog[open]")) tell("The run has grown.", true);
      else reload();
    } catch {
      tell("The server does not answer.", false);
    }
  }
  function tell(text, isNew) {
    if (note.textContent !== text) note.textContent = text;
    again.hidden = !isNew;
  }
  function reload() {
    sessionStorage.setItem(PLACE, scrollY);
    location.reload();
  }
  setInterval(look, 1000 * EVERY);
  document.addEventListener("visibilitychange", look);
}

history.scrollRestoration = "manual";
follow();
