/* The page, from top to bottom. */

function head() {
  const facts = report.facts.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value)),
  );
  return element(
    "header",
    { class: "top" },
    element("p", { class: "eyebrow" }, report.name),
    element("h1", {}, report.title),
    facts.length ? element("dl", { class: "facts" }, ...facts) : null,
  );
}

function warnings(rows) {
  if (!rows.length) return null;
  return element(
    "section",
    { class: "warnings", "aria-label": "Warnings" },
    element("h2", {}, rows.length === 1 ? "A warning" : `${rows.length} warnings`),
    element(
      "ul",
      {},
      ...rows.map((row) =>
        element(
          "li",
          {},
          element("strong", {}, [row.run, directed(row.state ?? "").replace("/", ": ")].filter(Boolean).join(", ")),
          element("br"),
          ...said(row),
        ),
      ),
    ),
  );
}

/* What a warning says, with its step unless that is 0 or in the text; flags are not broken at the end of a line. */
function said({ step, text = "" }) {
  const whole = !Number(step) || text.includes("step") ? text : `at step ${step}: ${text}`;
  return sentence(whole)
    .split(/(--\w+)/)
    .map((part, i) => (i % 2 ? element("span", { class: "flag" }, part) : part));
}

const BY_NAME =
  " Images of equal names count as pairs: if they do not show the same scene, ignore PSNR, SSIM, absolute differences" +
  " and comparisons with the input.";

/* The means of the validation images, beside those of the inputs as they are, and of a classical method's images. */
function scores(found) {
  if (!found.length) return null;
  const directions = [...new Set(found.map((each) => each.direction))];
  return section(
    "Scores",
    ...directions.map((direction) => {
      const of = found.filter((each) => each.direction === direction),
        count = of[0].images;
      return element(
        "div",
        { class: "row" },
        element(
          "h3",
          {},
          directed(direction),
          isEmpty(count) ? null : element("small", {}, ` ${count.toLocaleString("en")} images`),
        ),
        element("div", { class: "scores" }, ...of.map(score)),
      );
    }),
    element(
      "p",
      { class: "note" },
      "Means over the images; point at a name for its meaning." +
        (found.some(({ input }) => !isEmpty(input)) ? BY_NAME : ""),
    ),
  );
}

/* Each checkpoint that was evaluated, the best of each direction marked. */
function checkpoints({ metrics, rows }) {
  const columns = [
    { key: "step", title: "Step", numeric: true, value: (row) => row.step, cell: stepOf },
    { key: "direction", title: "Direction", value: (row) => row.direction, cell: (row) => directed(row.direction) },
    ...metrics.map((metric) => scored(metric, rows, (row, other) => row.direction === other.direction)),
  ];
  return section(
    "Checkpoints",
    element("p", { class: "note" }, "What --phase evaluate found last. The best of each direction is bold."),
    sortable("Scores of the checkpoints", columns, rows, { key: "step", descending: false }),
  );
}

function stepOf(row) {
  return row.step.toLocaleString("en") + (row.best ? " (best)" : "");
}

function score({ title, about, unit, value, input, prior, higher }) {
  const others = Object.entries({ input, prior }).filter(([, other]) => !isEmpty(other));
  return element(
    "div",
    { class: "score" },
    element("span", { class: "name" }, term(sentence(title), about)),
    element("span", { class: "value" }, withUnit(value, unit)),
    ...others.map(([name, other]) => compared(name, value, other, { unit, higher })),
    higher === null || others.length
      ? null
      : element("span", {}, `${higher ? "higher" : "lower"} is better`),
  );
}

function versions(rows) {
  return section(
    "Versions",
    element(
      "div",
      { class: "wide" },
      element(
        "table",
        { class: "versions" },
        element(
          "tbody",
          {},
          ...rows.map(([name, value]) =>
            element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value)),
          ),
        ),
      ),
    ),
  );
}

function navigation(sections) {
  return element(
    "nav",
    { class: "contents", "aria-label": "Sections" },
    ...sections.map((each) => element("a", { href: "#" + each.id }, each.querySelector("h2").textContent)),
  );
}

function start() {
  const isRun = report.kind === "run";
  const plots = report.charts.length
    ? curves(report)
    : {
        root: section(
          "Curves",
          element("p", { class: "note" }, "There are none until log.csv has a row; --phase train writes it."),
        ),
        redraw: () => {},
      };
  const tests = images(report.tested, report.kind);
  const hasPictures = report.pictures.length > 0;
  const sections = [
    isRun ? translations() : hasPictures ? tests : null,
    report.strips?.length ? strips(report.strips, report.columns, report.layout) : null,
    isRun ? scores(report.scores) : scoresOfRuns(report.scores),
    report.checkpoints?.rows.length ? checkpoints(report.checkpoints) : null,
    isRun || !hasPictures ? tests : null,
    plots.root,
    isRun ? settings(report.settings) : differing(report.settings, report.runs),
    report.versions?.length ? versions(report.versions) : null,
  ].filter(Boolean);
  document.body.prepend(
    head(),
    navigation(sections),
    element("main", {}, warnings(report.warnings) ?? "", ...sections),
    element("footer", {}, report.written ? `Written ${report.written}.` : ""),
  );
  plots.redraw();
  document.documentElement.dataset.ready = "yes";
}

start();
