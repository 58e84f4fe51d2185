/*
A canvas to draw on, with its tools. Needs elements.js, strokes.js and drawing.css, and nothing of a server.

    const drawing = makeDrawing({ width: 256, height: 256, changed: (file) => translate(file) });
    page.append(drawing.root);

width, height   of the canvas, in pixels
changed(file)   is called with the drawing, a PNG file, after each stroke and each other change
colours         ["#rrggbb", ...] to choose from
stored          ["#rrggbb", ...] the colours that the file has instead of these, where they differ
only            whether no other colours are allowed: then strokes have hard edges
background      of a blank canvas, and the colour of the eraser; by default white, or the first colour of `only` these
colour          to begin with; by default the first of `colours` that is not the background, or black
*/

const UNDO_STEPS = 50;
const UNDO_BYTES = 2 ** 26; // of all steps together: fewer steps of a large canvas
const KEYS =
  "Keys: P pen, E eraser, F fill, [ and ] width, Ctrl+Z undo, Ctrl+Shift+Z redo. On the canvas, the arrow keys move the" +
  " pen (with Shift: farther), and Space puts it down and lifts it.";

function makeDrawing(options) {
  const { width, height, only = false, colours = [] } = options;
  const canvas = drawingCanvas(width, height);
  const broad = Math.max(8, Math.round(Math.max(width, height) / 6));
  const background = options.background ?? (only ? colours[0] : "#ffffff");
  const state = {
    tool: "pen",
    background,
    colour: options.colour ?? colours.find((colour) => colour !== background) ?? "#000000",
    width: Math.max(2, Math.round(broad / 8)),
  };
  const sheet = makeSheet(canvas, state, { ...options, only, colours });
  const tools = toolChoices(state);
  const thickness = widthRange(state, broad);
  const keepTool = () => tools.set(state.tool === "eraser" ? "pen" : state.tool);
  const root = element(
    "div",
    { class: "drawing", role: "group", "aria-label": "Drawing" },
    element(
      "div",
      { class: "tools" },
      tools.root,
      element("div", { class: "buttons" }, sheet.undo, sheet.redo, button("Clear", sheet.clear)),
      thickness.root,
      colourChoices(state, colours, only, keepTool),
    ),
    pointed(canvas, sheet, state, only),
    element("details", { class: "note" }, element("summary", {}, "Keyboard"), element("p", {}, KEYS)),
  );
  root.addEventListener("keydown", (event) => {
    if (shortcut(event, sheet, tools, thickness)) event.preventDefault();
  });
  return { root, canvas, load: sheet.load, clear: sheet.clear, tell: sheet.tell };
}

/* What happens on the canvas: strokes with the tool of `state`, an image, a blank one, and undoing. */
function makeSheet(canvas, state, { only, colours, stored, changed }) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const past = history(context, showSteps);
  const undo = button("Undo", () => past.back() && tell(), { title: "Ctrl+Z" });
  const redo = button("Redo", () => past.forward() && tell(), { title: "Ctrl+Shift+Z" });

  /* Begins a stroke, or fills; returns whether points may follow. */
  function begin(x, y) {
    past.keep();
    if (state.tool === "fill") {
      floodFill(context, x, y, state.colour, only);
      tell();
      return false;
    }
    state.line = strokeOf(context, state.tool === "eraser" ? state.background : state.colour, state.width, only);
    state.line(x, y);
    return true;
  }
  function blank() {
    context.fillStyle = state.background;
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  function clear() {
    past.keep();
    blank();
    tell();
  }
  /* Begins with an image, which covers the canvas: what is longer is cut off at both ends. `isStored`: it is of a file,
  which may have the stored colours. */
  function load(image, isStored = false) {
    past.keep();
    blank();
    cover(context, image, only);
    if (stored && isStored) asSeen(context, colours, stored);
    if (only) toColours(context, colours);
    tell();
  }
  function showSteps() {
    undo.disabled = !past.canGoBack();
    redo.disabled = !past.canGoForward();
  }
  function tell() {
    changed(fileOf(canvas, colours, stored));
  }
  blank();
  showSteps();
  return { undo, redo, begin, go: (x, y) => state.line(x, y), end: tell, clear, load, tell };
}

function drawingCanvas(width, height) {
  return element("canvas", {
    width,
    height,
    tabindex: 0,
    role: "application",
    "aria-label": "Canvas: arrow keys move the pen, Space puts it down and lifts it",
  });
}

/* Snapshots of a canvas, to go back and forward; `moved` is called whenever there are more or fewer. */
function history(context, moved) {
  const { width, height } = context.canvas;
  const most = Math.max(5, Math.min(UNDO_STEPS, Math.floor(UNDO_BYTES / (4 * width * height))));
  const before = [],
    after = [];
  const now = () => context.getImageData(0, 0, width, height);
  function step(from, to) {
    if (!from.length) return false;
    to.push(now());
    context.putImageData(from.pop(), 0, 0);
    moved();
    return true;
  }
  return {
    keep() {
      before.push(now());
      if (before.length > most) before.shift();
      after.length = 0;
      moved();
    },
    back: () => step(before, after),
    forward: () => step(after, before),
    canGoBack: () => before.length > 0,
    canGoForward: () => after.length > 0,
  };
}

function toolChoices(state) {
  const names = [
    ["pen", "Pen"],
    ["eraser", "Eraser"],
    ["fill", "Fill"],
  ];
  const root = choices("Tool", names, state.tool, (name) => (state.tool = name));
  function set(name) {
    state.tool = name;
    root.querySelector(`[value="${name}"]`).checked = true;
  }
  return { root, set };
}

function widthRange(state, broad) {
  const range = element("input", { type: "range", min: 1, max: broad, value: state.width, oninput: show });
  const text = element("output", {});
  function show() {
    state.width = Number(range.value);
    text.textContent = `${state.width} px`;
    range.setAttribute("aria-valuetext", `${state.width} pixels`);
  }
  function change(by) {
    range.value = state.width + by;
    show();
  }
  show();
  return { root: element("label", { class: "field" }, element("span", {}, "Width"), range, text), change };
}

/* The colours to choose from, and any other colour unless `only` these are allowed. */
function colourChoices(state, colours, only, chosen) {
  const swatches = colours.map((colour, i) => {
    const name = only ? `Class ${i + 1}, ${colour}` : colour;
    const mark = element("span", { class: "ink" });
    mark.style.background = colour;
    const radio = element("input", {
      type: "radio",
      name: "ink",
      value: colour,
      "aria-label": name,
      checked: colour === state.colour,
    });
    radio.addEventListener("change", () => take(colour));
    return element("label", { class: "inked", title: name }, radio, mark);
  });
  const free = element("input", { type: "color", value: state.colour, oninput: () => take(free.value, true) });
  function take(colour, isFree = false) {
    state.colour = colour;
    if (isFree) for (const each of swatches) each.firstChild.checked = each.firstChild.value === colour;
    else free.value = colour;
    chosen();
  }
  return element(
    "fieldset",
    { class: "inks" },
    element("legend", { class: "unseen" }, "Colour"),
    ...swatches,
    only ? null : element("label", { class: "field" }, element("span", {}, "Colour"), free),
  );
}

/* Whether a key did something. Keys with letters work only while the focus is in the drawing. */
function shortcut(event, { undo, redo }, tools, thickness) {
  const key = event.key.toLowerCase(),
    isCommand = event.ctrlKey || event.metaKey;
  if (event.altKey) return false;
  if (isCommand && key === "z") (event.shiftKey ? redo : undo).click();
  else if (isCommand && key === "y") redo.click();
  else if (isCommand) return false;
  else if (key === "p") tools.set("pen");
  else if (key === "e") tools.set("eraser");
  else if (key === "f") tools.set("fill");
  else if (key === "[") thickness.change(-1);
  else if (key === "]") thickness.change(1);
  else return false;
  return true;
}

/* The canvas in a frame, with a ring around the pen; `stroke` has begin(x, y), go(x, y) and end(), in its pixels. */
function pointed(canvas, stroke, state, isSharp) {
  const ring = element("span", { class: "ring", hidden: true });
  const frame = element("div", { class: "sheet" }, canvas, ring);
  frame.style.setProperty("--ratio", canvas.width / canvas.height);
  frame.classList.toggle("pixels", isSharp || Math.max(canvas.width, canvas.height) <= 64);
  const pen = { x: canvas.width / 2, y: canvas.height / 2, isDown: false };

  function place({ clientX, clientY }) {
    const box = canvas.getBoundingClientRect();
    const along = (at, from, size, pixels) => ((at - from) / size) * pixels;
    return [along(clientX, box.left, box.width, canvas.width), along(clientY, box.top, box.height, canvas.height)];
  }
  function showRing(x, y) {
    Object.assign(pen, { x, y });
    ring.hidden = false;
    ring.style.left = `${(100 * x) / canvas.width}%`;
    ring.style.top = `${(100 * y) / canvas.height}%`;
    ring.style.width = `${(100 * (state.tool === "fill" ? 1 : state.width)) / canvas.width}%`;
  }
  function lift() {
    if (pen.isDown) stroke.end();
    pen.isDown = false;
    ring.classList.remove("down");
  }
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !event.isPrimary) return;
    lift();
    canvas.setPointerCapture(event.pointerId);
    showRing(...place(event));
    pen.isDown = stroke.begin(pen.x, pen.y);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!event.isPrimary) return;
    const parts = event.getCoalescedEvents?.() ?? [];
    if (pen.isDown && event.buttons) for (const part of parts.length ? parts : [event]) stroke.go(...place(part));
    showRing(...place(event));
  });
  for (const name of ["pointerup", "pointercancel", "blur"]) canvas.addEventListener(name, lift);
  canvas.addEventListener("pointerleave", () => (ring.hidden = !pen.isDown));
  canvas.addEventListener("focus", () => canvas.matches(":focus-visible") && showRing(pen.x, pen.y));
  canvas.addEventListener("keydown", (event) => {
    if (penKey(event, canvas, pen, stroke, showRing, lift)) event.preventDefault();
    ring.classList.toggle("down", pen.isDown);
  });
  return frame;
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/* Whether a key moved the pen, put it down or lifted it. */
function penKey(event, canvas, pen, stroke, showRing, lift) {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  if (event.key === " ") {
    if (event.repeat) return true;
    if (pen.isDown) lift();
    else {
      showRing(pen.x, pen.y);
      pen.isDown = stroke.begin(pen.x, pen.y);
    }
    return true;
  }
  if (!ARROWS[event.key]) return false;
  const [right, down] = ARROWS[event.key],
    far = Math.max(1, Math.round(Math.max(canvas.width, canvas.height) / 64)) * (event.shiftKey ? 5 : 1);
  const within = (at, most) => Math.min(most, Math.max(0, at));
  showRing(within(pen.x + right * far, canvas.width), within(pen.y + down * far, canvas.height));
  if (pen.isDown) stroke.go(pen.x, pen.y);
  return true;
}
