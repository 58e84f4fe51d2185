/* The page that translates: an image is drawn or given, sent to this server, and seen before and after. */

const PAUSE = 120; // milliseconds after a stroke in which another one may begin
const UNREADABLE = "This browser cannot read the image. Choose Image to translate it as it is.";
const runs = report.runs;
const isAlone = runs.length === 1;
const ways = waysOf(runs.flatMap((run) => run.directions));

function translating() {
  const state = { way: ways[0], mode: ways[0].drawing?.is_drawn ? "draw" : "image", file: null };
  const outputs = makeOutputs(state);
  const begin = makeTurns(); // of images that are still being read
  const canvases = makeCanvases(state, begin, {
    changed: (file) => state.mode === "draw" && outputs.translate(file, true),
    unreadable: () => tell(UNREADABLE),
  });
  const intake = makeIntake({ take, accept: "image/*,.npy,.tif,.tiff" });
  const examples = element("div", {});
  const lead = element("p", { class: "lead" });
  const note = element("p", { class: "note", role: "status" });
  const drawOn = button("Draw on this image", drawOnIt);
  const modes = choices("Input", Object.entries({ draw: "Draw", image: "Image" }), state.mode, setMode);
  const texts = ways.map((way) => [way.name, wayText(way)]);
  const directions = ways.length > 1 ? choices("Direction", texts, state.way.name, turnTo) : null;
  const more = element("div", { class: "more" }, intake.root, examples, element("div", {}, drawOn));
  const work = element("div", { class: "work" }, canvases.root, outputs.root, more);

  /* Takes an image: to translate it, or to draw on it. */
  async function take(file) {
    tell("");
    if (state.mode === "draw") return canvases.load(file);
    begin();
    state.file = file;
    drawOn.hidden = !state.way.drawing;
    outputs.translate(file, false);
  }
  function drawOnIt() {
    setMode("draw");
    canvases.load(state.file);
  }
  function setMode(mode) {
    state.mode = mode;
    intake.stop();
    arrange();
  }
  function turnTo(name) {
    state.way = ways.find((way) => way.name === name);
    if (!state.way.drawing) state.mode = "image";
    arrange();
  }
  function tell(text) {
    note.textContent = text;
  }
  /* Shows what belongs to the direction and the input, and translates what there is of it. */
  function arrange() {
    begin();
    const { way, mode, file } = state,
      draws = mode === "draw";
    lead.textContent = leadOf(way, mode === "draw", way.drawing?.only);
    tell("");
    modes.hidden = !way.drawing;
    modes.querySelector(`[value="${mode}"]`).checked = true;
    work.classList.toggle("drawn", draws);
    intake.invite(draws ? "Drop or paste an image to begin with" : "Drop an image here, or paste one");
    const buttons = () => exampleButtons(way.examples.map(exampleOf), take, tell, begin);
    examples.replaceChildren(...(way.examples.length ? [buttons()] : []));
    drawOn.hidden = draws || !file || !way.drawing;
    canvases.arrange();
    outputs.arrange();
    translateAgain();
  }
  /* Translates what there is by one run; by all if none is given. */
  function translateAgain(run) {
    const file = state.mode === "draw" ? canvases.file() : state.file;
    if (file) outputs.translate(file, state.mode === "draw", run);
  }
  watchSteps(runs, (run) => {
    showHead();
    outputs.showStep(run);
    translateAgain(run);
  });
  arrange();
  return [lead, element("div", { class: "controls" }, directions, modes), note, work];
}

/* The outputs of all runs, of which those that have the direction of `state` are shown. */
function makeOutputs(state) {
  const outputs = runs.map((run) => makeOutput(run, isAlone));
  const root = element("div", { class: "outputs" }, ...outputs.map((output) => output.root));
  const takes = ({ run }) => run.directions.some(({ name }) => name === state.way.name);
  for (const { slider } of outputs)
    slider.stage.addEventListener("input", (event) => {
      for (const other of outputs) if (other.slider !== slider) other.slider.move(event.target.value);
    });

  function translate(file, isDrawn, run = null) {
    const names = isDrawn ? ["Drawing", "Translation"] : captions(state.way);
    const asked = outputs.filter((output) => takes(output) && (run === null || output.run === run));
    for (const output of asked) output.translate(file, state.way.name, isDrawn, names);
  }
  function arrange() {
    for (const output of outputs) {
      output.clear(state.mode === "draw" ? "The translation appears here after each stroke." : "");
      output.root.hidden = !takes(output);
    }
  }
  function showStep(run) {
    outputs.find((output) => output.run === run).showStep();
  }
  return { root, translate, arrange, showStep };
}

/* A canvas for each direction, made when it is first needed; `changed` gets a drawing after a pause, and `unreadable` is
called for an image that cannot be drawn on. */
function makeCanvases(state, begin, { changed, unreadable }) {
  const root = element("div", { class: "canvas" });
  const drawings = new Map(),
    files = new Map();
  let timer = 0;

  function drawing() {
    const { name, drawing: options } = state.way;
    if (!drawings.has(name)) drawings.set(name, makeDrawing({ ...options, changed: (file) => drawn(name, file) }));
    return drawings.get(name);
  }
  function drawn(name, file) {
    files.set(name, file);
    clearTimeout(timer);
    timer = setTimeout(() => name === state.way.name && changed(file), PAUSE);
  }
  /* Begins a drawing with an image, unless another one is given meanwhile; says so if it cannot be read. */
  async function load(file) {
    const sheet = drawing(),
      isWanted = begin();
    const image = await createImageBitmap(file, { colorSpaceConversion: "none" }).catch(() => null);
    if (!isWanted()) return;
    if (image) sheet.load(image, true);
    else unreadable();
  }
  function arrange() {
    root.replaceChildren(...(state.mode === "draw" ? [drawing().root] : []));
  }
  return { root, load, arrange, file: () => files.get(state.way.name) };
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
    isAlone && runs[0].summary ? element("p", { class: "note" }, `A network that has ${runs[0].summary}.`) : null,
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
