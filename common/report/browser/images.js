/* The validation images: in pictures or in a table, in one order, a page at a time. */

const A_PAGE = { pictures: 24, table: 50 };

function images({ metrics, rows, note }, kind) {
  if (!rows.length) return section("Test images", element("p", { class: "note" }, note));
  for (const row of rows) row.layers = new Map(row.layers);
  const directions = [...new Set(rows.map((row) => row.direction))];
  const columns = columnsOf(metrics, (row) => open(shown(), shown().indexOf(row)));
  const view = rows.some((row) => row.layers.size) ? "pictures" : "table";
  const state = { direction: directions[0], query: "", sort: first(metrics, rows), page: 0, view };
  const open = viewer();
  const place = element("div");
  const count = element("output", { class: "note" });
  const order = ordering(columns, metrics, state, (sort) => change({ sort }));
  const above = element("div", { class: "controls" }, ...choosing(directions, state, change), order.root);
  above.append(
    search("Search by name", (query) => change({ query })),
    count,
  );

  function shown() {
    const isShown = (row) => state.direction === "both" || row.direction === state.direction;
    const isFound = (row) => row.name.toLowerCase().includes(state.query.toLowerCase());
    const column = columns.find((each) => each.key === state.sort.key);
    return sorted(
      rows.filter((row) => isShown(row) && isFound(row)),
      column,
      state.sort.descending,
    );
  }
  function change(to) {
    Object.assign(state, { page: 0 }, to);
    show();
  }
  function show() {
    const found = shown();
    const size = A_PAGE[state.view];
    const pages = Math.max(1, Math.ceil(found.length / size));
    const from = state.page * size;
    const part = found.slice(from, from + size);
    count.textContent = `${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")}`;
    order.say();
    const several = kind === "comparison" ? "cards several" : "cards";
    const cards = (row, i) => card(row, state.sort.key, metrics, kind, () => open(found, from + i));
    const body =
      state.view === "table"
        ? tableOf("Table of test images", columns, part, state.sort, byHeader)
        : element("div", { class: several }, ...part.map(cards));
    place.replaceChildren(body, pager(state.page, pages, turn) ?? "");
  }
  function turn(page) {
    const isOn = page > state.page;
    change({ page });
    above.scrollIntoView({ block: "start" });
    const buttons = [...place.querySelectorAll(".pager button")];
    if (isOn) buttons.reverse();
    buttons.find((each) => !each.disabled).focus({ preventScroll: true });
  }
  function byHeader(key) {
    change({ sort: { key, descending: state.sort.key === key && !state.sort.descending } });
    [...place.querySelectorAll("th button")].find((each) => each.dataset.key === key).focus();
  }
  show();
  return section("Test images", note ? element("p", { class: "note" }, note) : "", above, place);
}

/* Which direction is shown, and how. */
function choosing(directions, state, change) {
  const both = [...directions.map((each) => [each, directed(each)]), ["both", "both"]];
  const views = ["pictures", "table"].map((each) => [each, each]);
  return [
    directions.length > 1 ? choices("Direction", both, state.direction, (direction) => change({ direction })) : "",
    choices("View", views, state.view, (view) => change({ view })),
  ];
}

/* The order: by which column, up or down, or from the worst or the best. */
function ordering(columns, metrics, state, sort) {
  const options = columns.map((each) => [each.key, each.title]);
  const by = select("Sort by", options, state.sort.key, (key) => sort({ ...state.sort, key }));
  const turn = () => sort({ ...state.sort, descending: !state.sort.descending });
  const direction = button("", turn, { class: "order" });
  const ranking = rankings(metrics);
  const from = (isBest) => () => {
    const metric = ranking.find(({ name }) => "metric " + name === state.sort.key) ?? ranking[0];
    sort({ key: "metric " + metric.name, descending: metric.higher === isBest });
  };
  const ends = ranking.length ? [button("Worst", from(false)), button("Best", from(true))] : [];
  const say = () => {
    by.querySelector("select").value = state.sort.key;
    direction.textContent = state.sort.descending ? "↓ descending" : "↑ ascending";
  };
  return { root: element("span", { class: "buttons" }, by, direction, ...ends), say };
}

/* By name; the worst first where pictures of some are left out, as the worst have theirs. */
function first(metrics, rows) {
  const [ranking] = rankings(metrics);
  const isWhole = !ranking || rows.every((row) => row.layers.size);
  return isWhole
    ? { key: "name", descending: false }
    : { key: "metric " + ranking.name, descending: !ranking.higher };
}

/* The metrics by which some images are better than others. */
function rankings(metrics) {
  return metrics.filter(({ higher }) => higher !== null);
}

function columnsOf(metrics, open) {
  return [
    {
      key: "name",
      title: "name",
      value: (row) => row.name,
      cell: (row) => button(row.name, () => open(row), { class: "link" }),
    },
    { key: "direction", title: "direction", value: (row) => row.direction, cell: (row) => directed(row.direction) },
    ...metrics.map(({ name, title, about }) => ({
      key: "metric " + name,
      title: name,
      about: `${sentence(title)}. ${about}`,
      numeric: true,
      value: (row) => row.values[name],
      cell: (row) => number(row.values[name]),
    })),
  ];
}

/* An image as a button: its pictures side by side, its name, and what it is sorted by. */
function card(row, key, metrics, kind, open) {
  const roles =
    kind === "comparison" ? [...row.layers.keys()] : ["real", "fake"].filter((role) => row.layers.has(role));
  const metric = metrics.find(({ name }) => "metric " + name === key) ?? (kind === "comparison" ? null : metrics[0]);
  const pictures = roles.map((role) =>
    element(
      "span",
      { class: "thumb" },
      lazy(report.pictures[row.layers.get(role)], `${role} of ${row.name}`),
      kind === "comparison" ? element("span", { class: "role" }, role) : null,
    ),
  );
  return element(
    "button",
    { type: "button", class: "card", onclick: open },
    element(
      "span",
      { class: "thumbs" },
      ...(pictures.length ? pictures : [element("span", { class: "none" }, "no picture in this page")]),
    ),
    element(
      "span",
      { class: "under" },
      element("span", { class: "name", title: row.name }, row.name),
      metric ? element("span", { class: "value" }, `${metric.name} ${number(row.values[metric.name])}`) : null,
    ),
  );
}
