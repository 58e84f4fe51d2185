/* The large view of an image: the slider between two pictures of it, and the error of its cycle. */

const ERROR = "cycle error";
const KEYS = "← → go to the previous and the next image; in the slider they move it. Esc closes.";

function viewer() {
  const state = { rows: [], index: 0, left: null, right: null };
  const { title, place, slider, left, right, scale, values, dialog } = viewerParts();
  const { stage, under, over } = slider;
  dialog.addEventListener("keydown", arrows);
  dialog.querySelector(".before").addEventListener("click", () => go(-1));
  dialog.querySelector(".after").addEventListener("click", () => go(1));

  function arrows(event) {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move || event.target.matches("input, select")) return;
    event.preventDefault();
    go(move);
  }
  function go(move) {
    const to = state.index + move;
    if (to < 0 || to >= state.rows.length) return;
    state.index = to;
    show();
  }
  function open(rows, index) {
    Object.assign(state, { rows, index });
    slider.move(50);
    show();
    dialog.showModal();
    dialog.focus();
  }
  function show() {
    const row = state.rows[state.index],
      roles = rolesOf(row),
      first = row.layers.get(roles[0]);
    title.textContent = row.name;
    const [position, count] = [state.index + 1, state.rows.length].map((each) => each.toLocaleString("en"));
    place.textContent = `${directed(row.direction)} · ${position} of ${count}`;
    stage.hidden = first === undefined;
    values.replaceChildren(...figures(row));
    if (stage.hidden) {
      [left, right].forEach((each) => each.replaceChildren());
      scale.hidden = true;
      left.append(element("p", { class: "note" }, "This image has no pictures in this page."));
      return;
    }
    const [width, height] = report.pictures[first];
    slider.size(width, height);
    if (!roles.includes(state.left)) state.left = roles[0];
    if (!roles.includes(state.right)) state.right = roles[1] ?? roles[0];
    sides(row, roles);
  }
  function sides(row, roles) {
    const still = roles.filter((role) => role !== ERROR).map((role) => [role, role]);
    left.replaceChildren(
      select("Left", still, state.left, (role) => {
        state.left = role;
        fill(row);
      }),
    );
    right.replaceChildren(
      choices(
        "Right",
        roles.map((role) => [role, role]),
        state.right,
        (role) => {
          state.right = role;
          fill(row);
        },
      ),
    );
    fill(row);
  }
  function fill(row) {
    slider.call(state.left, state.right);
    put(over, row, state.left);
    scale.hidden = state.right !== ERROR;
    if (state.right === ERROR) heat(row);
    else put(under, row, state.right);
  }
  function put(layer, row, role) {
    const picture = report.pictures[row.layers.get(role)];
    layer.replaceChildren(
      element("img", {
        src: address(picture),
        width: picture[0],
        height: picture[1],
        alt: `${role} of ${row.name}`,
        draggable: "false",
      }),
    );
  }
  async function heat(row) {
    const pair = await Promise.all(
      ["real", "reconstructed"].map((role) => pixelsOf(report.pictures[row.layers.get(role)])),
    );
    if (row !== state.rows[state.index] || state.right !== ERROR) return;
    const { error, greatest, mean } = cycleError(...pair.map((each) => each.data));
    const most = Math.max(1, Math.ceil(greatest));
    under.replaceChildren(
      heatMap(
        error,
        pair[0].width,
        pair[0].height,
        most,
        `Cycle error of ${row.name}: mean ${number(mean)}, at most ${number(greatest)} grey levels`,
      ),
    );
    scale.replaceChildren(
      element("span", {}, "0"),
      ramp(),
      element("span", {}, `${most} grey levels of 255`),
      element(
        "span",
        { class: "mean" },
        `mean ${number(mean)}${report.tested.exact ? "" : "; a few levels of it are the compression of the pictures"}`,
      ),
    );
  }
  document.body.append(dialog);
  return open;
}

/* The dialog and what is in it. */
function viewerParts() {
  const title = element("h2", { id: "viewer-title" }),
    place = element("p", { class: "note" });
  const slider = makeSlider();
  const left = element("div"),
    right = element("div"),
    values = element("dl", { class: "values" });
  const scale = element("div", { class: "scale", hidden: true });
  const buttons = element(
    "span",
    { class: "buttons" },
    element("button", { type: "button", class: "before", "aria-label": "Previous image" }, "←"),
    element("button", { type: "button", class: "after", "aria-label": "Next image" }, "→"),
    button("Close", () => dialog.close()),
  );
  const dialog = element(
    "dialog",
    {
      class: "viewer",
      "aria-labelledby": "viewer-title",
      tabindex: -1,
      onclick: (event) => {
        if (event.target === dialog) dialog.close();
      },
    },
    element("header", {}, element("div", { class: "names" }, title, place), buttons),
    slider.stage,
    element("div", { class: "controls sides" }, left, right),
    scale,
    values,
    element("p", { class: "note keys" }, KEYS),
  );
  return { title, place, slider, left, right, scale, values, dialog };
}

/* What there is to see of an image, in the order in which it is offered. */
function rolesOf(row) {
  const roles = [...row.layers.keys()];
  return row.layers.has("real") && row.layers.has("reconstructed") ? [...roles, ERROR] : roles;
}

/* The scores of an image, of its input as it is, and of what a classical method makes of that. */
function figures(row) {
  return report.tested.metrics
    .filter(({ name }) => !isEmpty(row.values[name]))
    .map((metric) =>
      element(
        "div",
        {},
        element("dt", {}, term(sentence(metric.title), metric.about)),
        element(
          "dd",
          {},
          withUnit(row.values[metric.name], metric.unit),
          ...["input", "prior"].map((other) => {
            const score = row.values[`${other}_${metric.name}`];
            return isEmpty(score) ? null : element("small", {}, ` ${other} ${number(score)}`);
          }),
        ),
      ),
    );
}
