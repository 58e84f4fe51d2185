/* Curves: a chart for each group of losses, all with one range of steps. */

const HEIGHT = 240,
  COLOURS = 8,
  SMOOTHED = 0.05;

function curves({ charts, sources, kind }) {
  const groups = [...new Set(charts.map((chart) => chart.group))];
  const state = { group: "all", log: false, smooth: true, range: null, at: null, plots: [] };
  const grid = element("div");
  const redraw = () => {
    state.plots.forEach(({ plot, watch }) => {
      plot.destroy();
      watch.disconnect();
    });
    const shown = charts.filter((chart) => state.group === "all" || chart.group === state.group);
    const figures = shown.map((chart) => figure(chart, sources, state));
    const roots = Map.groupBy(figures, (_, i) => shown[i].group);
    grid.replaceChildren(
      ...[...roots].map(([group, parts]) =>
        element(
          "div",
          { class: "group" },
          element("h3", {}, group),
          element("div", { class: parts.length === 1 ? "charts single" : "charts" }, ...parts.map((each) => each.root)),
        ),
      ),
    );
    state.plots = figures.map((each) => each.draw());
  };
  const change = (key) => (value) => {
    state[key] = value;
    redraw();
  };
  const tools = element(
    "div",
    { class: "controls" },
    groups.length > 1
      ? choices(
          "Group of curves",
          [["all", "all"], ...groups.map((group) => [group, group])],
          "all",
          change("group"),
        )
      : null,
    toggle(
      "log scale",
      false,
      change("log"),
      "Where values are not positive: logarithmic in both directions from zero",
    ),
    toggle("moving average", true, change("smooth"), "Of losses, over one in twenty of the points"),
    element(
      "span",
      { class: "buttons" },
      button("+", () => zoomBy(state, 0.5), { "aria-label": "Zoom in", title: "Zoom in" }),
      button("−", () => zoomBy(state, 2), { "aria-label": "Zoom out", title: "Zoom out" }),
      button("Reset", () => zoomTo(state, null)),
    ),
  );
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  return {
    root: section(
      "Curves",
      tools,
      grid,
      element(
        "p",
        { class: "note" },
        "Drag over a chart to zoom, double-click to reset; with a chart in focus ← → move, + − zoom, 0 resets.",
        sources.some((source) => Object.keys(source.means).length)
          ? " Long logs are drawn by the least and the greatest value of each stretch."
          : "",
      ),
    ),
    redraw,
  };
}

/* A chart with its title and its legend, which shows values under the cursor and puts curves out and in. */
function figure(chart, sources, state) {
  const { data, averages } = aligned(chart, sources, state);
  const title = sentence(directed(chart.title)),
    readout = element("output", { class: "readout" });
  const place = element("div", {
    class: "plot",
    tabindex: 0,
    role: "group",
    "aria-label": `Chart ${title} over steps: ${chart.series.map((each) => each.label).join(", ")}`,
  });
  const items = chart.series.map((each, i) => {
    const value = element("span", { class: "value" });
    const item = element(
      "button",
      { type: "button", class: "key", "aria-pressed": "true" },
      swatch(chart.series, i),
      element("span", { class: "label" }, directed(each.label)),
      value,
    );
    return { item, value };
  });
  const root = element(
    "figure",
    { class: "chart" },
    element("figcaption", {}, element("h4", {}, term(title, chart.about)), readout),
    place,
    element("div", { class: "legend" }, ...items.map((each) => each.item)),
  );
  const count = chart.series.length;
  function say(plot) {
    const index = plot.cursor.idx ?? data[0].length - 1;
    readout.textContent = data[0].length ? `step ${data[0][index].toLocaleString("en")}` : "";
    items.forEach(({ value }, i) => {
      value.textContent = number(nearest((averages ?? data)[averages ? i : i + 1], index));
    });
  }
  function draw() {
    const plot = new uPlot(
      options(chart, data, count, averages, state, place, say),
      averages ? [...data, ...averages] : data,
      place,
    );
    const watch = new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT }));
    watch.observe(place);
    plot.over.addEventListener("dblclick", () => zoomTo(state, null));
    plot.over.addEventListener(
      "touchmove",
      (event) => {
        plot.setCursor({ left: event.touches[0].clientX - plot.over.getBoundingClientRect().left, top: HEIGHT / 3 });
      },
      { passive: true },
    );
    place.addEventListener("keydown", (event) => keys(event, plot, state));
    items.forEach(({ item }, i) =>
      item.addEventListener("click", () => {
        const show = item.getAttribute("aria-pressed") === "false";
        item.setAttribute("aria-pressed", show);
        plot.setSeries(i + 1, { show });
        if (averages) plot.setSeries(count + i + 1, { show });
      }),
    );
    say(plot);
    return { plot, watch };
  }
  return { root, draw };
}

/* A piece of a curve in its colour and with its dashes. */
function swatch(series, i) {
  const dash = dashOf(series, i);
  const root = element("span", { class: `swatch s${coloured(series[i], i)}${dash ? " dashed" : ""}` });
  root.style.setProperty("--dash", `${dash}px`);
  return root;
}

/* The colour of a curve: of several runs, each has its own in all charts. */
function coloured({ run }, i) {
  return (run ?? i) % COLOURS;
}

/* The dash of a curve: longer for each earlier one of the chart that has its colour; 0: none. */
function dashOf(series, i) {
  const colour = coloured(series[i], i);
  return 4 * series.slice(0, i).filter((each, j) => coloured(each, j) === colour).length;
}

function options(chart, data, count, averages, state, place, say) {
  const style = getComputedStyle(document.documentElement),
    colour = (name) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--muted"),
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  const series = (i, alpha) => ({
    label: chart.series[i].label,
    stroke: colour(`--s${coloured(chart.series[i], i)}`),
    dash: dashOf(chart.series, i) ? [dashOf(chart.series, i), 3] : [],
    width: 1.5,
    alpha,
    spanGaps: true,
    points: { show: data[0].length < 40 && alpha === 1 },
  });
  const of = [...Array(count).keys()];
  return {
    width: place.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    padding: [8, 18, 0, 0],
    scales: {
      x: { time: false, ...(state.range ? { min: state.range[0], max: state.range[1] } : {}) },
      y: state.log ? logarithmic(data.slice(1)) : {},
    },
    axes: [
      {
        ...axis,
        size: 24,
        gap: 4,
        values: (plot, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? short(tick) : "")),
      },
      {
        ...axis,
        size: 50,
        grid: { ...axis.grid, ...(state.log ? { filter: (plot, ticks) => decades(ticks) } : {}) },
        values: (plot, ticks) => ticks.map((tick) => (tick === null ? "" : number(tick, 3))),
      },
    ],
    series: [{}, ...of.map((i) => series(i, averages ? 0.25 : 1)), ...(averages ? of.map((i) => series(i, 1)) : [])],
    cursor: {
      drag: { setScale: false, x: true, y: false },
      points: { size: 7 },
      sync: {
        key: "steps",
        scales: ["x", null],
        filters: { pub: (type) => type === "mousemove" || type === "mouseleave" },
      },
    },
    hooks: {
      setCursor: [say],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width < 4) return;
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          zoomTo(state, [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")]);
        },
      ],
    },
  };
}

/* Columns over one axis of steps, as uPlot takes them, and their moving averages if they are asked for. */
function aligned({ series, group }, sources, state) {
  const same = new Set(series.map((each) => each.source)).size === 1;
  const of = (which) =>
    series.map(({ source, column }) =>
      Object.hasOwn(sources[source][which], column) ? sources[source][which][column] : sources[source].values[column],
    );
  const onSteps = (columns) =>
    same
      ? [sources[series[0].source].steps, ...columns]
      : uPlot.join(columns.map((values, i) => [sources[series[i].source].steps, values]));
  const data = onSteps(of("values"));
  return { data, averages: state.smooth && group !== "Scores" ? onSteps(of("means").map(smoothed)).slice(1) : null };
}

/* The mean of what is known around each value. */
function smoothed(values) {
  const reach = Math.max(1, Math.round((values.length * SMOOTHED) / 2)),
    totals = [0],
    counts = [0];
  values.forEach((value, i) => {
    totals.push(totals[i] + (value ?? 0));
    counts.push(counts[i] + (isEmpty(value) ? 0 : 1));
  });
  return values.map((value, i) => {
    const from = Math.max(0, i - reach),
      to = Math.min(values.length, i + reach + 1),
      count = counts[to] - counts[from];
    return isEmpty(value) || !count ? null : (totals[to] - totals[from]) / count;
  });
}

/* A logarithmic scale; where values are not all positive, one that is linear around zero. */
function logarithmic(columns) {
  const known = columns.flat().filter((value) => !isEmpty(value));
  if (known.length && known.every((value) => value > 0)) return { distr: 3 };
  const sizes = known
    .map(Math.abs)
    .filter((value) => value > 0)
    .sort((a, b) => a - b);
  return { distr: 4, asinh: sizes.length ? 10 ** Math.floor(Math.log10(sizes[Math.floor(sizes.length / 4)])) : 1 };
}

/* Of the ticks of a logarithmic axis the powers of ten, if there are a few. */
function decades(ticks) {
  const powers = ticks.filter(
    (tick) => tick === 0 || Number.isInteger(Math.round(1e6 * Math.log10(Math.abs(tick))) / 1e6),
  );
  return powers.length < 3 ? ticks : ticks.map((tick) => (powers.includes(tick) ? tick : null));
}

function nearest(values, index) {
  for (let away = 0; away < values.length; away++) {
    for (const i of [index - away, index + away]) if (!isEmpty(values[i])) return values[i];
  }
  return null;
}

function short(value) {
  const size = Math.abs(value);
  return size >= 1e6 ? `${number(value / 1e6)}M` : size >= 1e4 ? `${number(value / 1e3)}k` : String(value);
}

function zoomTo(state, range) {
  state.range = range;
  for (const { plot } of state.plots) {
    const steps = plot.data[0];
    const [min, max] = range ?? [steps[0], steps[steps.length - 1]];
    if (max > min) plot.setScale("x", { min, max });
  }
}

/* Zooms around the cursor, or around the middle. */
function zoomBy(state, factor, plot = state.plots[0]?.plot) {
  const { min, max } = plot?.scales.x ?? {};
  if (!(max > min)) return;
  const middle = plot.cursor.left >= 0 ? plot.posToVal(plot.cursor.left, "x") : (min + max) / 2;
  const steps = plot.data[0],
    range = [middle - (middle - min) * factor, middle + (max - middle) * factor];
  const within = [Math.max(steps[0], range[0]), Math.min(steps[steps.length - 1], range[1])];
  zoomTo(state, within[0] <= steps[0] && within[1] >= steps[steps.length - 1] ? null : within);
}

function keys(event, plot, state) {
  const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (move) {
    const last = plot.data[0].length - 1,
      index = Math.min(last, Math.max(0, (plot.cursor.idx ?? last) + move));
    plot.setCursor({ left: plot.valToPos(plot.data[0][index], "x"), top: HEIGHT / 3 });
  } else if (event.key === "+" || event.key === "=") zoomBy(state, 0.5, plot);
  else if (event.key === "-") zoomBy(state, 2, plot);
  else if (event.key === "0") zoomTo(state, null);
  else return;
  event.preventDefault();
}
