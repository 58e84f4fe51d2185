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
  const said = element("p", { class: "note said", role: "status" });
  const time = element("span", { class: "note time" });
  const download = element("a", { class: "button", hidden: true }, "Download");
  const copy = button("Copy", () => copied(state.blob).then(say), { hidden: true });
  const heading = isAlone ? null : element("h2", {}, run.name, " ", element("small", {}, run.model));
  const stepText = element("span", { class: "note" });
  const state = { blob: null, original: null, turn: 0, urls: [] };
  slider.stage.hidden = true;
  const root = element(
    "article",
    { class: "output", "aria-label": isAlone ? "Translation" : `Translation by ${run.name}` },
    heading,
    isAlone ? null : element("p", { class: "of" }, stepText, reportLink(run)),
    slider.stage,
    said,
    element("div", { class: "controls" }, download, copy, time),
  );

  const work = newestOnly(async ({ file, direction, isDrawn, names, turn }, isOutdated) => {
    const busy = () => turn === state.turn && say("The server is busy; waiting …");
    const answer = await ask(run, direction, file, busy);
    if (turn !== state.turn || isOutdated()) return;
    if (answer.wrong) fail(answer.wrong);
    else finish(answer, { file, direction, isDrawn, names });
  });

  /* Translates a file; what is still being translated is dropped. `names`: of the original and of the translation. */
  function translate(file, direction, isDrawn, names) {
    const turn = ++state.turn;
    slider.stage.classList.toggle("plain", isDrawn);
    slider.stage.classList.add("waiting");
    if (state.original !== file) showOriginal(file, isDrawn);
    if (run.step === null) return clear("Translations begin with the first checkpoint.");
    if (!isDrawn) say("Translating …");
    return work({ file, direction, isDrawn, names, turn });
  }
  function showOriginal(file, isDrawn) {
    state.original = file;
    if (isDrawn) return; // it is seen on its canvas
    forget();
    slider.under.replaceChildren();
    show(slider.over, file, file.name, slider.size);
    slider.stage.hidden = false;
  }
  function finish({ blob, step, notes, seconds }, { file, direction, isDrawn, names }) {
    const name = `${file.name.replace(/\.[^.]*$/, "")}_${direction}${isAlone ? "" : "_" + plainName(run.name)}`;
    state.blob = blob;
    if (isDrawn) forget();
    const url = show(slider.under, blob, `${name}`, isDrawn ? slider.size : undefined);
    slider.call(...names);
    if (!isDrawn) slider.move(50);
    slider.stage.hidden = false;
    slider.stage.classList.remove("waiting");
    Object.assign(download, { href: url, download: `${name}.${MEDIA[blob.type] ?? "npy"}`, hidden: false });
    copy.hidden = !MEDIA[blob.type] || blob.type === "image/tiff" || !navigator.clipboard?.write;
    time.textContent = `${seconds < 10 ? seconds.toFixed(2) : Math.round(seconds)} s, step ${step.toLocaleString("en")}`;
    say(notes.join(" "));
  }
  function fail(sentence) {
    slider.stage.hidden = true; // it has nothing to show beside the image, if it is one
    download.hidden = copy.hidden = true;
    time.textContent = "";
    say(sentence, true);
  }
  function clear(text) {
    state.turn++;
    state.original = null;
    slider.stage.hidden = download.hidden = copy.hidden = true;
    time.textContent = "";
    say(text);
    forget();
  }
  function say(text, isWrong = false) {
    if (said.textContent !== text) said.textContent = text;
    said.classList.toggle("wrong", isWrong);
  }
  /* Shows a file in a layer, and returns its address. */
  function show(layer, file, alt, size = () => {}) {
    const url = URL.createObjectURL(file);
    state.urls.push(url);
    const image = element("img", { alt, draggable: "false" });
    image.addEventListener("load", () => {
      size(image.naturalWidth, image.naturalHeight);
      layer.replaceChildren(image); // not before it is decoded: the previous one stays until then
    });
    image.addEventListener("error", () => say(UNSEEN, true));
    image.src = url;
    return url;
  }
  function forget() {
    for (const url of state.urls.splice(0)) URL.revokeObjectURL(url);
  }
  function showStep() {
    stepText.textContent = run.step === null ? "No checkpoint yet" : `Step ${run.step.toLocaleString("en")}`;
  }
  showStep();
  return { root, run, slider, translate, clear, showStep };
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
