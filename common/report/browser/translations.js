/* Translations, before and after: of the validation images, or of the newest sample strip. */

function translations() {
  const items = ofTests().concat(ofStrips());
  const kept = items.filter((each) => each.tested === items[0].tested);
  if (!kept.length) return null;
  const directions = [...new Set(kept.map((each) => each.direction))];
  const state = { direction: directions[0], at: 0 };
  const slider = makeSlider(),
    name = element("p", { class: "name-of-picture" }),
    words = element("ul", { class: "words" }),
    place = element("output", { class: "note" }),
    note = element("p", { class: "note" });
  const previous = button("←", () => go(-1), { "aria-label": "Previous image" }),
    next = button("→", () => go(1), { "aria-label": "Next image" });
  const shown = () => kept.filter((each) => each.direction === state.direction);
  const go = (move) => change({ at: state.at + move });
  function change(to) {
    Object.assign(state, to);
    const all = shown(),
      item = all[state.at];
    slider.size(item.width, item.height);
    slider.call(item.tested ? "input" : "real", "translation");
    slider.over.replaceChildren(item.before());
    slider.under.replaceChildren(item.after());
    name.textContent = item.name;
    words.replaceChildren(...item.words().map((each) => element("li", {}, ...each)));
    note.textContent = noteOn(all);
    place.textContent = `${state.at + 1} of ${all.length.toLocaleString("en")}`;
    previous.disabled = state.at === 0;
    next.disabled = state.at === all.length - 1;
  }
  const ways = directions.map((each) => [each, directed(each)]);
  change({ at: typical(shown()) });
  return section(
    "Translations",
    element(
      "div",
      { class: "hero" },
      element("div", { class: "hero-picture" }, slider.stage),
      element(
        "div",
        { class: "hero-words" },
        ways.length > 1
          ? choices("Direction of the translation", ways, state.direction, (direction) => {
              state.direction = direction;
              change({ at: typical(shown()) });
            })
          : element("p", { class: "note" }, directed(directions[0])),
        name,
        words,
        element("div", { class: "buttons" }, previous, next, place),
        note,
      ),
    ),
  );
}

function noteOn(items) {
  if (!items[0].tested)
    return "Drag the border to compare. These are the newest samples; --phase test translates all validation images.";
  const [, step] = report.facts.find(([name]) => name === "tested") ?? [];
  const first = withScores(items).length ? " The one with the median score is shown first; all are" : " All are";
  return `Drag the border to compare. These are test images${step ? ` of ${step}` : ""}.${first} under Test images.`;
}

/* Where the image is that is in the middle by the first metric; the first image if there are no scores. */
function typical(items) {
  const known = withScores(items);
  known.sort((a, b) => a[0] - b[0]);
  return known.length ? known[Math.floor((known.length - 1) / 2)][1] : 0;
}

/* [score by the first metric, where it is] of each image that has one. */
function withScores(items) {
  const [metric] = report.tested.metrics;
  return items.map((each, i) => [each.row?.values[metric?.name], i]).filter(([value]) => !isEmpty(value));
}

/* An image with both sides of the slider; `picture` returns a function that makes the picture of a role. */
function itemOf(facts, picture) {
  return { ...facts, before: picture("real"), after: picture("fake") };
}

function ofTests() {
  return report.tested.rows
    .map((row) => ({ row, layers: new Map(row.layers) }))
    .filter(({ layers }) => layers.has("real") && layers.has("fake"))
    .map(({ row, layers }) => {
      const [width, height] = report.pictures[layers.get("real")];
      const picture = (role) => () =>
        element("img", {
          src: address(report.pictures[layers.get(role)]),
          alt: `${role} of ${row.name}`,
          draggable: "false",
        });
      const words = () =>
        report.tested.metrics.filter(({ name }) => !isEmpty(row.values[name])).map(inWords(row.values));
      const { direction, name } = row;
      return itemOf({ tested: true, row, direction, name, width, height, words }, picture);
    });
}

function ofStrips() {
  const { layout, strips } = report;
  if (!layout || !strips.length) return [];
  const newest = strips[strips.length - 1];
  return Object.entries(layout.columns)
    .filter(([, columns]) => "real" in columns && "fake" in columns)
    .flatMap(([direction, columns]) =>
      layout.rows.map((row, i) => {
        const [width, height] = [columns.real[1] * newest.picture[0], row[1] * newest.picture[1]];
        const name = `sample ${i + 1}, step ${newest.step.toLocaleString("en")}`;
        const picture = (role) => () => cut(newest.picture, row, columns[role], `${role} of ${name}`);
        return itemOf({ tested: false, direction, name, width, height, words: () => [] }, picture);
      }),
    );
}

/* Writes a score of an image, and of its input and of a classical method's image: [title, value, comparison]. */
function inWords(values) {
  return ({ name, title, about, unit, higher }) => [
    term(sentence(title), about),
    ": ",
    element("strong", {}, withUnit(values[name], unit)),
    ...["input", "prior"]
      .map((other) => [other, values[`${other}_${name}`]])
      .filter(([, score]) => !isEmpty(score))
      .map(([other, score]) => element("span", {}, ", ", compared(other, values[name], score, { unit, higher }))),
  ];
}

const OTHERS = { input: "the input", prior: "the classical method" };

/* How a score compares with that of something else: "11.7 dB better than the input". */
function compared(other, value, score, { unit, higher }) {
  if (higher === null) return element("span", {}, `${OTHERS[other]}: ${withUnit(score, unit)}`);
  if (value === score) return element("span", {}, `as ${OTHERS[other]}`);
  const is = value > score === higher ? "better" : "worse";
  const difference = withUnit(Math.abs(value - score), unit, 3);
  return element("span", { class: is }, `${difference} ${is} than ${OTHERS[other]}`);
}

function withUnit(value, unit, digits = 4) {
  return number(value, digits) + (unit ? ` ${unit}` : "");
}
