/* The page of an export: images and drawings are translated in the browser, and sent nowhere. */

const CLOSED =
  "Browsers do not let a page that was opened as a file load a network. Open it over HTTP: put this folder on a web" +
  " server, or run “python -m http.server” in it and open http://localhost:8000.";
const MODES = [
  ["image", "Image"],
  ["drawing", "Drawing"],
];

/* What is said, and how much has been loaded. */
function makeStatus() {
  const text = element("p", { class: "note said", role: "status", "aria-live": "polite" });
  const bar = element("progress", { max: 1, value: 0, hidden: true, "aria-label": "Loading the network" });
  function say(sentences, isWrong = false) {
    bar.hidden = true;
    text.textContent = sentences;
    text.classList.toggle("wrong", isWrong);
  }
  function load(part, bytes) {
    if (bar.hidden) say(`Loading the network, ${(bytes / 2 ** 20).toFixed(1)} MB …`);
    bar.hidden = false;
    bar.value = part;
  }
  function loaded(isTranslating) {
    if (!bar.hidden) say(isTranslating ? "Translating …" : "");
  }
  return { root: element("div", { class: "progress" }, text, bar), say, load, loaded };
}

/* The output: a file to download or to copy. */
function makeOutput(say) {
  const download = element("a", { class: "button" }, "Download");
  const canCopy = Boolean(navigator.clipboard?.write && window.ClipboardItem);
  const copy = canCopy ? button("Copy", copied) : null;
  const again = button("Draw on it");
  const root = element("div", { class: "controls" }, download, copy, again);
  let blob = null;
  root.hidden = true;

  async function copied() {
    try {
      await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
      say("Copied.");
    } catch {
      say("This browser did not allow copying: use Download.", true);
    }
  }
  function give(png, name) {
    if (download.href) URL.revokeObjectURL(download.href);
    blob = png;
    Object.assign(download, { href: URL.createObjectURL(png), download: name });
    root.hidden = false;
  }
  return { root, again, give, hide: () => (root.hidden = true) };
}

/* The size at which the network works on an image, and the size of the output. */
function sizesOf(image) {
  const shown = within(image.width, image.height, report.most_pixels);
  return { shown, inner: report.any_size ? shown : [report.sides[1], report.sides[0]] };
}

function notesOn(image, { shown, inner }, { seconds, device }) {
  const notes = [];
  const written = ([width, height]) => `${width} × ${height}`;
  if (shown[0] !== image.width || shown[1] !== image.height)
    notes.push(
      `Scaled from ${written([image.width, image.height])} to ${written(shown)} pixels: networks need much memory, and` +
        ` this page translates up to ${report.most_pixels.toLocaleString("en")} pixels.`,
    );
  if (inner.join() !== shown.join())
    notes.push(`Translated at ${written(inner)} pixels, the only size that this network knows, and scaled back.`);
  const where = device === "GPU" ? " on the GPU" : "";
  notes.push(`Translated in ${seconds < 10 ? seconds.toFixed(2) : seconds.toFixed(0)} s${where}.`);
  return notes.join(" ");
}

function translating() {
  const status = makeStatus(),
    output = makeOutput(status.say),
    slider = makeSlider();
  const [first] = report.directions;
  const state = { direction: first, mode: first.drawing.is_drawn ? "drawing" : "image", files: {}, turn: 0 };
  const network = makeNetwork({
    runtime: report.runtime,
    script: report.worker,
    loading: status.load,
    ready: status.loaded,
  });
  const drawings = new Map();
  const drawn = element("div", { class: "drawn" });
  const intake = makeIntake({ take: (file) => take("image", file) });
  const pictures = element("div", {}, intake.root, slider.stage);
  const canvases = element("div", { class: "canvases", hidden: true });
  slider.stage.hidden = true;

  const lead = element("p", { class: "lead" });
  const ways = report.directions.map((each) => [each.name, wayText(each)]);
  const controls = element(
    "div",
    { class: "controls" },
    ways.length > 1 ? choices("Direction", ways, ways[0][0], turnTo) : null,
    choices("Input", MODES, state.mode, enter),
  );
  output.again.addEventListener("click", async () => {
    enter("drawing");
    controls.querySelector('[value="drawing"]').checked = true;
    const image = await decoded(state.files.image);
    drawing().load(inColours(image, [image.width, image.height], state.direction.source));
  });

  async function load() {
    const answer = await network.load(state.direction.model);
    if (answer?.wrong) status.say(answer.wrong, true);
  }
  function drawing() {
    const { name, drawing: options } = state.direction;
    if (!drawings.has(name)) drawings.set(name, makeDrawing({ ...options, changed: (file) => take("drawing", file) }));
    return drawings.get(name);
  }
  function turnTo(name) {
    state.direction = report.directions.find((each) => each.name === name);
    status.say("");
    load();
    enter(state.mode);
  }
  function describe() {
    lead.textContent = leadOf(state.direction, state.mode === "drawing", state.direction.drawing.only);
  }
  function enter(mode) {
    state.mode = mode;
    describe();
    intake.stop();
    pictures.hidden = mode !== "image";
    canvases.hidden = mode !== "drawing";
    output.hide();
    state.turn++;
    if (mode === "drawing") {
      canvases.replaceChildren(drawing().root, drawn);
      drawing().tell();
    } else if (state.files.image) translate(state.files.image);
  }
  function take(mode, file) {
    state.files[mode] = file;
    if (mode === "image" && state.mode !== "image") {
      controls.querySelector('[value="image"]').checked = true;
      enter("image");
    } else if (mode === state.mode) translate(file);
  }
  async function translate(file) {
    const turn = ++state.turn,
      { direction, mode } = state;
    try {
      const image = await decoded(file);
      const sizes = sizesOf(image);
      const input = taken(scaled(image, sizes.inner, direction.source), direction.source);
      if (turn !== state.turn) return;
      if (mode === "image") preview(file, image, sizes.shown, direction.source);
      const answer = await network.translate(direction.model, input);
      if (!answer || turn !== state.turn) return;
      if (answer.wrong) return fail(answer.wrong);
      await finish(answer, { file, direction, mode, sizes, turn });
      if (turn === state.turn) status.say(notesOn(image, sizes, answer));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (turn === state.turn) fail(error.message);
    }
  }
  /* Shows an image, before it is translated. */
  function preview(file, image, size, source) {
    const canvas = inColours(image, size, source);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", file.name);
    slider.over.replaceChildren(canvas);
    slider.under.replaceChildren();
    slider.size(image.width, image.height);
    slider.stage.classList.add("waiting");
    slider.stage.hidden = false;
    intake.root.classList.add("small");
    output.hide();
    status.say("Translating …");
  }
  async function finish(answer, { file, direction, mode, sizes, turn }) {
    const { name, target } = direction;
    const size = mode === "image" ? sizes.shown : [answer.width, answer.height];
    const canvasOf = (isShown) => resized(painted(answer, target, isShown), size, target);
    const stored = canvasOf(false);
    const shown = target.values ? canvasOf(true) : stored;
    const png = await pngOf(stored);
    if (turn !== state.turn) return;
    const title = `${file.name.replace(/\.[^.]*$/, "")}_${name}.png`;
    shown.setAttribute("role", "img");
    shown.setAttribute("aria-label", `The translation, ${directed(name)}`);
    if (mode === "image") {
      slider.under.replaceChildren(shown);
      slider.call(...captions(direction));
      slider.move(50);
      slider.stage.classList.remove("waiting");
    } else {
      shown.classList.toggle("pixels", Math.max(...size) <= 128);
      drawn.replaceChildren(shown);
      drawn.style.setProperty("--ratio", size[0] / size[1]);
    }
    output.again.hidden = mode !== "image";
    output.give(png, title);
  }
  function fail(sentence) {
    if (state.mode === "image") slider.stage.hidden = true;
    else drawn.replaceChildren();
    output.hide();
    status.say(sentence, true);
  }
  load();
  enter(state.mode);
  return [lead, controls, pictures, canvases, status.root, output.root];
}

function resized(canvas, size, end) {
  return canvas.width === size[0] && canvas.height === size[1] ? canvas : scaled(canvas, size, end);
}

/* What may be asked of this browser. */
function missing() {
  if (location.protocol === "file:") return CLOSED;
  if (!window.WebAssembly || !window.Worker || !window.createImageBitmap)
    return "This browser is too old for this page.";
  return null;
}

const trained = report.dataset ? ` on the dataset ${report.dataset}` : "";
const problem = missing();
document.body.append(
  element(
    "header",
    { class: "top" },
    element("p", { class: "eyebrow" }, `${report.model}, trained${trained}, step ${report.step.toLocaleString("en")}`),
    element("h1", {}, report.name),
    report.summary ? element("p", { class: "note" }, `A network that has ${report.summary}.`) : null,
  ),
  element(
    "main",
    {},
    problem
      ? element("p", { class: "closed", role: "alert" }, problem)
      : element("section", { "aria-label": "Translate" }, ...translating()),
  ),
  element(
    "footer",
    {},
    element("p", {}, "Images are translated in this browser. They are sent nowhere, and not kept."),
    report.licence ? element("p", {}, report.licence) : null,
  ),
);
document.documentElement.dataset.ready = "yes";
