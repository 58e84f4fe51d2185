/* Tables: sorted by any column, those without a value last, a page at a time. */

/* Rows in order; a column is {key, title, value(row), cell(row), numeric}. */
function sorted(rows, column, descending) {
  const sign = descending ? -1 : 1;
  const known = rows.filter((row) => !isEmpty(column.value(row)));
  const empty = rows.filter((row) => isEmpty(column.value(row)));
  const compared = column.numeric ? (a, b) => a - b : collation.compare;
  return known.sort((a, b) => sign * compared(column.value(a), column.value(b))).concat(empty);
}

const collation = new Intl.Collator("en", { numeric: true });

function isEmpty(value) {
  return value === null || value === undefined || value === "";
}

/* A <table> of rows that are in order; a click on a header asks for another. */
function tableOf(label, columns, rows, sort, onsort) {
  const heads = columns.map((column) => {
    const direction = sort.key !== column.key ? "none" : sort.descending ? "descending" : "ascending";
    return element(
      "th",
      { scope: "col", "aria-sort": direction, class: column.numeric ? "numeric" : null },
      explain(
        button(column.title, () => onsort(column.key), { "data-key": column.key }),
        column.about,
      ),
    );
  });
  return element(
    "div",
    { class: "wide", tabindex: 0, role: "region", "aria-label": label },
    element(
      "table",
      {},
      element("caption", { class: "unseen" }, label),
      element("thead", {}, element("tr", {}, ...heads)),
      element(
        "tbody",
        {},
        ...rows.map((row) =>
          element(
            "tr",
            {},
            ...columns.map((column) => element("td", { class: classes(column, row) }, column.cell(row))),
          ),
        ),
      ),
    ),
  );
}

function classes(column, row) {
  return [column.numeric ? "numeric" : "", column.marked?.(row) ? "marked" : ""].join(" ").trim() || null;
}

/* A table that sorts itself. */
function sortable(label, columns, rows, sort) {
  const place = element("div");
  function show(focused) {
    const column = columns.find((each) => each.key === sort.key) ?? columns[0];
    place.replaceChildren(
      tableOf(label, columns, sorted([...rows], column, sort.descending), sort, (key) => {
        sort = { key, descending: sort.key === key && !sort.descending };
        show(key);
      }),
    );
    if (focused) [...place.querySelectorAll("th button")].find((each) => each.dataset.key === focused).focus();
  }
  show();
  return place;
}

/* Settings of a run: those that are not as by default are marked. */
function settings(rows) {
  const state = { query: "", changed: false },
    place = element("div");
  const isChanged = (row) => row.default !== null && row.default !== row.value;
  function show() {
    const words = state.query.toLowerCase().split(/\s+/);
    const shown = rows.filter(
      (row) =>
        (!state.changed || isChanged(row)) &&
        words.every((word) => `${row.part} ${row.name} ${row.value} ${row.about ?? ""}`.toLowerCase().includes(word)),
    );
    place.replaceChildren(
      shown.length
        ? element(
            "div",
            { class: "wide tall", tabindex: 0, role: "region", "aria-label": "Table of settings" },
            element(
              "table",
              { class: "settings" },
              element(
                "thead",
                {},
                element(
                  "tr",
                  {},
                  ...["Setting", "Value", "Default", "Meaning"].map((text) => element("th", { scope: "col" }, text)),
                ),
              ),
              element(
                "tbody",
                {},
                ...shown.map((row) =>
                  element(
                    "tr",
                    { class: isChanged(row) ? "changed" : null },
                    element("th", { scope: "row" }, element("span", { class: "part" }, row.part + " "), row.name),
                    element("td", {}, row.value === "" ? "–" : row.value),
                    element("td", {}, row.default === "" ? "–" : (row.default ?? "")),
                    element("td", { class: "about" }, row.about ?? ""),
                  ),
                ),
              ),
            ),
          )
        : element("p", { class: "note" }, "No setting is like that."),
    );
  }
  show();
  return section(
    "Settings",
    element(
      "div",
      { class: "controls" },
      search("Search settings", (text) => {
        state.query = text;
        show();
      }),
      toggle("only those that are not as by default", false, (on) => {
        state.changed = on;
        show();
      }),
    ),
    place,
  );
}

/* Settings in which runs differ. */
function differing(rows, runs) {
  if (!rows.length) return section("Settings", element("p", { class: "note" }, "The runs have the same settings."));
  const columns = [
    {
      key: "name",
      title: "Setting",
      value: (row) => `${row.part} ${row.name}`,
      cell: (row) => `${row.part} ${row.name}`,
    },
    ...runs.map((run, i) => ({
      key: "run" + i,
      title: run,
      value: (row) => row.values[i],
      cell: (row) => row.values[i] ?? "–",
    })),
  ];
  return section(
    "Settings",
    element("p", { class: "note" }, "Those in which the runs differ."),
    sortable("Settings that differ", columns, rows, { key: "name", descending: false }),
  );
}

/* A column of a metric; the best of the rows that are `compared` with each other is marked. */
function scored({ name, higher, title, about }, rows, compared) {
  const value = (row) => row.values[name];
  const isBest = (row) => {
    const values = rows.filter((other) => compared(row, other) && !isEmpty(value(other))).map(value);
    return new Set(values).size > 1 && value(row) === (higher ? Math.max(...values) : Math.min(...values));
  };
  return {
    key: "metric " + name,
    title: `${name} ${arrow(higher)}`.trim(),
    about: `${sentence(title)}. ${about}`,
    numeric: true,
    value,
    cell: (row) => number(value(row)),
    marked: (row) => higher !== null && isBest(row),
  };
}

/* The last scores of runs, the best of each set of images marked. */
function scoresOfRuns({ metrics, rows }) {
  const columns = [
    { key: "name", title: "Run", value: (row) => row.name, cell: (row) => element("span", { class: "line" }, row.name) },
    {
      key: "title",
      title: "Model and set",
      value: (row) => row.title,
      cell: (row) => element("span", { class: "line" }, row.title),
    },
    {
      key: "steps",
      title: "Steps",
      numeric: true,
      value: (row) => row.steps,
      cell: (row) => row.steps?.toLocaleString("en") ?? "–",
    },
    { key: "time", title: "Time", numeric: true, value: (row) => row.seconds, cell: (row) => row.time },
    ...metrics.map((metric) => scored(metric, rows, (run, other) => run.set === other.set)),
  ];
  const best = new Set(rows.map((row) => row.set)).size > 1 ? "the best of each set of images" : "the best";
  return section(
    "Scores",
    element("p", { class: "note" }, `The last of each run; ${best} is bold. ↑ more is better, ↓ less is.`),
    sortable("Scores of the runs", columns, rows, { key: "name", descending: false }),
  );
}
