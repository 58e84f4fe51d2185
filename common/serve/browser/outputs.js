/* The translations of one run: the picture, or the slider between it and its original, and what to do with it. */

const MEDIA = {
  "image/jpeg": "jpg",
  "image/png": "png",
  "image/webp": "webp",
  "image/bmp": "bmp",
  "image/tiff": "tif",
};
const UNSEEN = "This browser does not show images of this kind. Download it to see it.";

function makeOutput(run, isAlone) {
  const slider = makeSlider();
  const controls = makeControls((text) => say(text));
  const said = element("p", { class: "note said", role: "status" });
  const steps = element("span", { class: "note" });
  const state = { original: null, notes: [], turn: 0 };
  const pictures = makePictures((layer) => {
    slider.stage.hidden = !slider.stage.querySelector("img");
    if (layer === slider.under) say([UNSEEN, ...state.notes].join(" "));
  });
  slider.stage.hidden = true;
  const root = element(
    "article",
    { class: "output", "aria-label": isAlone ? "Translation" : `Translation by ${run.name}` },
    isAlone ? null : element("h2", {}, run.name, " ", element("small", {}, run.model)),
    isAlone || !run.summary ? null : element("p", { class: "note" }, `Has ${run.summary}.`),
    isAlone ? null : element("p", { class: "of" }, steps, reportLink(run)),
    slider.stage,
    said,
    controls.root,
  );

  /* What is asked is { file, direction, isDrawn, names, turn }; it is outdated once something else is asked. */
  const work = newestOnly(async (asked, isOutdated) => {
    const busy = () => asked.turn === state.turn && say("The server is busy; waiting …");
    const isDropped = () => asked.turn !== state.turn || isOutdated();
    const answer = await ask(run, asked.direction, asked.file, busy, isDropped);
    if (isDropped()) return;
    if (answer.wrong)
      hide(answer.wrong, true); // there is nothing to show beside the image, if it is one
    else finish(answer, asked);
  });
  /* Translates a file; what is still being translated is dropped. `names`: of the original and of the translation. */
  function translate(file, direction, isDrawn, names) {
    const turn = ++state.turn;
    slider.stage.classList.toggle("plain", isDrawn);
    slider.stage.classList.add("waiting");
    if (!isDrawn && state.original !== file) showOriginal(file);
    state.original = file;
    if (run.step === null) return clear("Translations begin with the first checkpoint.");
    if (!isDrawn) say("Translating …");
    return work({ file, direction, isDrawn, names, turn });
  }
  function showOriginal(file) {
    pictures.forget();
    controls.withdraw();
    for (const layer of [slider.over, slider.under]) layer.replaceChildren();
    slider.move(50);
    pictures.show(slider.over, file, file.name, slider.size);
    slider.stage.hidden = false;
  }
  function finish(answer, { file, direction, isDrawn, names }) {
    const name = `${file.name.replace(/\.[^.]*$/, "")}_${direction}${isAlone ? "" : "_" + plainName(run.name)}`;
    const url = pictures.show(slider.under, answer.blob, name, isDrawn ? slider.size : undefined);
    slider.call(...names);
    slider.stage.hidden = false;
    slider.stage.classList.remove("waiting");
    controls.offer(answer, url, name);
    state.notes = answer.notes;
    say(answer.notes.join(" "));
  }
  function hide(text, isWrong) {
    slider.stage.hidden = true;
    controls.withdraw();
    say(text, isWrong);
  }
  function clear(text) {
    state.turn++;
    state.original = null;
    hide(text, false);
    pictures.forget();
  }
  function say(text, isWrong = false) {
    if (said.textContent !== text) said.textContent = text;
    said.classList.toggle("wrong", isWrong);
  }
  function showStep() {
    steps.textContent = run.step === null ? "No checkpoint yet" : `Step ${run.step.toLocaleString("en")}`;
  }
  showStep();
  return { root, run, slider, translate, clear, showStep };
}

/* To download and to copy a translation, and how long it took. */
function makeControls(say) {
  let copies = null;
  const download = element("a", { class: "button", hidden: true }, "Download");
  const copy = button("Copy", () => copied(copies).then(say), { hidden: true });
  const time = element("span", { class: "note time" });
  const root = element("div", { class: "controls" }, download, copy, time);

  function offer({ blob, step, seconds }, url, name) {
    copies = blob;
    Object.assign(download, { href: url, download: `${name}.${MEDIA[blob.type] ?? "npy"}`, hidden: false });
    copy.hidden = !MEDIA[blob.type] || blob.type === "image/tiff" || !navigator.clipboard?.write;
    const took = seconds < 10 ? seconds.toFixed(2) : Math.round(seconds);
    time.textContent = `${took} s, step ${step.toLocaleString("en")}`;
  }
  function withdraw() {
    download.hidden = copy.hidden = true;
    time.textContent = "";
  }
  return { root, offer, withdraw };
}

/* Pictures of files, one in each layer; `failed` is called with the layer if the browser cannot show one. */
function makePictures(failed) {
  const newest = new Map(); // layer: its picture, perhaps not yet decoded
  /* Shows a file, and returns its address, which holds until the next one; `size` gets its width and height. */
  function show(layer, file, alt, size = () => {}) {
    const image = element("img", { alt, draggable: "false" });
    image.addEventListener("load", () => {
      if (newest.get(layer) !== image) return;
      size(image.naturalWidth, image.naturalHeight);
      layer.replaceChildren(image); // not before it is decoded: the previous one stays until then
    });
    image.addEventListener("error", () => newest.get(layer) === image && failed(layer));
    if (newest.has(layer)) URL.revokeObjectURL(newest.get(layer).src);
    newest.set(layer, image);
    image.src = URL.createObjectURL(file);
    return image.src;
  }
  function forget() {
    for (const { src } of newest.values()) URL.revokeObjectURL(src);
    newest.clear();
  }
  return { show, forget };
}

function reportLink(run) {
  return run.has_report ? element("a", { href: `report?${new URLSearchParams({ run: run.name })}` }, "Report") : null;
}

/* Copies an image to the clipboard, which takes PNG; a sentence on that. */
async function copied(blob) {
  try {
    await navigator.clipboard.write([
      new ClipboardItem({ "image/png": blob.type === "image/png" ? blob : asPng(blob) }),
    ]);
    return "Copied.";
  } catch {
    return "The browser did not allow to copy. Download it instead.";
  }
}

async function asPng(blob) {
  const image = await createImageBitmap(blob);
  const canvas = element("canvas", { width: image.width, height: image.height });
  canvas.getContext("2d").drawImage(image, 0, 0);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

/* A name as a part of the name of a file. */
function plainName(name) {
  return name.replace(/[^\p{L}\p{N}.-]+/gu, "-");
}
