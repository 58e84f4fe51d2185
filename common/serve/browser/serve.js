/* The page that translates: an image is drawn or given, sent to this server, and seen before and after. */

const PAUSE = 120; // milliseconds after a stroke in which another one may begin
const runs = report.runs;
const isAlone = runs.length === 1;
const ways = waysOf(runs.flatMap((run) => run.directions));

function translating() {
  const outputs = runs.map((run) => makeOutput(run, isAlone));
  const state = { way: ways[0], mode: "image", file: null, drawings: new Map(), timer: 0 };
  const intake = makeIntake({ take, accept: "image/*,.npy,.tif,.tiff" });
  const examples = element("div", {});
  const lead = element("p", { class: "lead" });
  const note = element("p", { class: "note", role: "status" });
  const drawOn = button("Draw on this image", drawOnIt, { hidden: true });
  const modes = choices("Input", Object.entries({ draw: "Draw", image: "Image" }), state.mode, setMode);
  const texts = ways.map((way) => [way.name, wayText(way)]);
  const directions = ways.length > 1 ? choices("Direction", texts, state.way.name, turnTo) : null;
  const canvas = element("div", { class: "canvas" });
  const more = element("div", { class: "more" }, intake.root, examples, element("div", {}, drawOn));
  const place = element("div", { class: "outputs" }, ...outputs.map((output) => output.root));
  const work = element("div", { class: "work" }, canvas, place, more);

  function taken(direction) {
    return outputs.filter(({ run }) => run.directions.some(({ name }) => name === direction));
  }
  /* Takes an image: to translate it, or to draw on it. */
  async function take(file) {
    if (state.mode === "draw") {
      const image = await bitmapOf(file);
      if (image) return drawing().load(image);
      note.textContent = "This browser cannot read the image. Choose Image to translate it as it is.";
      return;
    }
    state.file = file;
    drawOn.hidden = !state.way.drawing;
    translate(file, false);
  }
  function translate(file, isDrawn) {
    note.textContent = "";
    const names = isDrawn ? ["Drawing", "Translation"] : captions(state.way);
    for (const output of taken(state.way.name)) output.translate(file, state.way.name, isDrawn, names);
  }
  /* The canvas of a direction; made when it is first needed. */
  function drawing() {
    const { name, drawing: options } = state.way;
    if (!state.drawings.has(name)) {
      const made = makeDrawing({
        ...options,
        stored: options.stored ?? undefined,
        colours: options.colours,
        changed: drawn,
      });
      state.drawings.set(name, made);
    }
    return state.drawings.get(name);
  }
  function drawn(file) {
    clearTimeout(state.timer);
    state.timer = setTimeout(() => {
      if (state.mode === "draw") translate(file, true);
    }, PAUSE);
  }
  function drawOnIt() {
    const { file } = state;
    setMode("draw");
    take(file);
  }
  function setMode(mode) {
    Object.assign(state, { mode });
    modes.querySelector(`[value="${mode}"]`).checked = true;
    intake.stop();
    arrange();
    if (mode === "image" && state.file) translate(state.file, false);
  }
  function turnTo(name) {
    state.way = ways.find((way) => way.name === name);
    if (state.mode === "draw" && !state.way.drawing) state.mode = "image";
    arrange();
    if (state.mode === "image" && state.file) translate(state.file, false);
  }
  /* Shows what belongs to the direction and the input. */
  function arrange() {
    const { way, mode } = state;
    lead.replaceChildren(...leadOf(way, mode));
    note.textContent = "";
    modes.hidden = !way.drawing;
    modes.querySelector(`[value="${mode}"]`).checked = true;
    work.classList.toggle("drawn", mode === "draw");
    const isOld = state.drawings.has(way.name);
    canvas.replaceChildren(...(mode === "draw" ? [drawing().root] : []));
    if (mode === "draw" && isOld) drawing().tell();
    const shown = exampleButtons(way.examples.map(exampleOf), take, (text) => (note.textContent = text));
    examples.replaceChildren(...(way.examples.length ? [shown] : []));
    drawOn.hidden = mode === "draw" || !state.file || !way.drawing;
    for (const output of outputs) {
      output.clear(mode === "draw" ? "The translation appears here after each stroke." : "");
      output.root.hidden = !taken(way.name).includes(output);
    }
  }
  for (const { slider } of outputs)
    slider.stage.addEventListener("input", (event) => {
      for (const other of outputs) if (other.slider !== slider) other.slider.move(event.target.value);
    });
  watchSteps(runs, (run) => {
    showHead();
    const output = outputs.find((each) => each.run === run);
    output.showStep();
    if (state.mode === "draw") drawing().tell();
    else if (state.file) translate(state.file, false);
  });
  if (state.way.drawing?.is_drawn) state.mode = "draw";
  arrange();
  return [lead, element("div", { class: "controls" }, directions, modes), note, work];
}

/* Each direction once, with the canvas and the examples of the first run that has it, and words if all agree. */
function waysOf(directions) {
  return [...new Set(directions.map(({ name }) => name))].map((name) => {
    const [first, ...others] = directions.filter((way) => way.name === name);
    const agree = others.every((way) => String(way.words) === String(first.words));
    return { ...first, words: agree ? first.words : null };
  });
}

/* The name and the address of an example. */
function exampleOf(src, i) {
  return { name: `Example ${i + 1}`, src, look: `${src}/look` };
}

/* Which images a direction takes and makes, in a few words, for a button. */
function wayText({ name, words }) {
  return words ? words.join(" → ") : directed(name);
}

function captions({ name, words }) {
  return words ?? [name[0], name.at(-1)];
}

/* A sentence on a direction, and one on drawing. */
function leadOf({ name, words, drawing }, mode) {
  const [from, to] = words ?? [`images of domain ${name[0]}`, `images of domain ${name.at(-1)}`];
  const draws =
    mode === "draw" && drawing.only
      ? "Paint with the colours of the classes: each stands for one kind of thing."
      : mode === "draw"
        ? "Draw, and see the translation after each stroke."
        : "";
  return [`Translates ${from} to ${to}. ${draws}`];
}

async function bitmapOf(file) {
  try {
    return await createImageBitmap(file);
  } catch {
    return null;
  }
}

const eyebrow = element("p", { class: "eyebrow" });
const waits = element("p", { class: "warnings", hidden: true });

function showHead() {
  const [run] = runs;
  const steps = ({ step }) => (step === null ? "no checkpoint yet" : `step ${step.toLocaleString("en")}`);
  eyebrow.textContent = isAlone ? `${run.model}, ${steps(run)}` : `${runs.length} runs side by side`;
  const young = runs.filter(({ step }) => step === null).map(({ name }) => name);
  waits.hidden = !young.length;
  waits.textContent = `${young.join(" and ")} ${young.length > 1 ? "have" : "has"} no checkpoint yet: translations begin with the first one, which this page notices by itself.`;
}

function reports() {
  if (!runs.every((run) => run.has_report)) return null;
  const text = isAlone ? "Report of this run" : "Compare these runs";
  return element("p", { class: "links" }, element("a", { href: "report" }, text));
}

showHead();
document.body.append(
  element(
    "header",
    { class: "top" },
    eyebrow,
    element("h1", {}, isAlone ? runs[0].name : runs.map(({ name }) => name).join(", ")),
    reports(),
  ),
  element("main", {}, waits, element("section", { class: "page", "aria-label": "Translate" }, ...translating())),
  element(
    "footer",
    {},
    `Images go to this server and nowhere else, and are not kept: up to ${report.max_mb} MB and ` +
      `${report.max_pixels.toLocaleString("en")} pixels.`,
  ),
);
document.documentElement.dataset.ready = "yes";
