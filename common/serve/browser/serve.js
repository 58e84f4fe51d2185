/* The page that translates: an image is dropped on it, sent to this server, and seen before and after. */

const MEDIA = { "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/bmp": "bmp", "image/tiff": "tif" };
const WAITS = [1, 2, 4, 8]; // seconds before asking once more of a server that is busy

function translating() {
  const slider = makeSlider();
  const said = element("p", { class: "note said", role: "status", "aria-live": "polite" });
  const download = element("a", { class: "button", hidden: true }, "Download");
  const state = { file: null, direction: report.directions[0], made: new Map(), turn: 0 };
  const ways = report.directions.map((each) => [each, directed(each)]);
  const directions = ways.length > 1 ? choices("Direction", ways, state.direction, turnTo) : null;
  const result = element(
    "div",
    { class: "result", hidden: true },
    element("div", { class: "controls" }, directions, download),
    said,
    slider.stage,
  );
  const drop = dropping(take);

  function take(file) {
    for (const url of [...state.made.values()].map((each) => each.url)) URL.revokeObjectURL(url);
    if (state.url) URL.revokeObjectURL(state.url);
    Object.assign(state, { file, url: URL.createObjectURL(file), made: new Map() });
    drop.classList.add("small");
    result.hidden = false;
    slider.under.replaceChildren(); // what was made of another image
    show(slider.over, state.url, file.name, slider.size);
    translate();
  }
  function turnTo(direction) {
    state.direction = direction;
    if (state.file) translate();
  }
  async function translate() {
    const turn = ++state.turn;
    const { file, direction, made } = state;
    if (!made.has(direction)) {
      waiting(true);
      slider.stage.hidden = false;
      say("Translating …");
      const answer = await ask(file, direction, () => turn === state.turn && say("The server is busy; waiting …"));
      if (answer.url) made.set(direction, answer);
      else if (turn === state.turn) return fail(answer.wrong);
    }
    if (turn === state.turn) finish(made.get(direction), direction, file);
  }
  function finish({ url, media, notes }, direction, file) {
    const name = `${file.name.replace(/\.[^.]*$/, "")}_${direction}.${MEDIA[media] ?? "npy"}`;
    show(slider.under, url, name);
    slider.call(direction[0], direction);
    slider.move(50);
    slider.stage.hidden = false;
    Object.assign(download, { href: url, download: name, hidden: false });
    waiting(false);
    say(notes.join(" "));
  }
  function fail(sentence) {
    slider.stage.hidden = true; // it has nothing beside the image, if it is one
    say(sentence, true);
  }
  function waiting(is) {
    slider.stage.classList.toggle("waiting", is);
    if (is) download.hidden = true;
  }
  function say(text, isWrong = false) {
    said.textContent = text;
    said.classList.toggle("wrong", isWrong);
  }
  function show(layer, url, alt, size = () => {}) {
    const image = element("img", { src: url, alt, draggable: "false" });
    image.addEventListener("load", () => size(image.naturalWidth, image.naturalHeight));
    image.addEventListener("error", () => say("This browser does not show images of this kind; a download holds it.", true));
    layer.replaceChildren(image);
  }
  return [drop, result];
}

/* Where images are dropped, or chosen, or pasted; `take` is called with each. */
function dropping(take) {
  const input = element("input", { type: "file", accept: "image/*,.npy,.tif,.tiff", class: "unseen", tabindex: -1 });
  const place = element(
    "div",
    { class: "drop" },
    element("p", {}, "Drop an image here, or paste one"),
    button("Choose a file", () => input.click()),
    input,
  );
  const first = (files) => files.length && take(files[0]);
  input.addEventListener("change", () => {
    first(input.files);
    input.value = "";
  });
  for (const name of ["dragover", "dragleave", "drop"])
    document.addEventListener(name, (event) => {
      event.preventDefault();
      place.classList.toggle("over", name === "dragover");
    });
  document.addEventListener("drop", (event) => first(event.dataTransfer.files));
  document.addEventListener("paste", (event) => first(event.clipboardData.files));
  return place;
}

/* {url, media, notes} of a translation, or {wrong}, a sentence. A server that is busy is asked again. */
async function ask(file, direction, busy) {
  if (file.size > report.max_mb * 2 ** 20) return { wrong: `The file has more than ${report.max_mb} MB.` };
  const sent = {
    method: "POST",
    body: file,
    headers: { "Content-Type": file.type.startsWith("image/") ? file.type : "application/octet-stream" },
  };
  for (const wait of [...WAITS, null]) {
    try {
      const answer = await fetch(`translate?direction=${direction}`, sent);
      if (answer.ok) {
        const made = await answer.blob();
        const notes = JSON.parse(answer.headers.get("Translation-Notes") ?? "[]");
        return { url: URL.createObjectURL(made), media: made.type, notes };
      }
      if (answer.status !== 503 || wait === null) return { wrong: (await answer.json()).error };
    } catch {
      return { wrong: "The server does not answer. Does it still run?" };
    }
    busy();
    await new Promise((done) => setTimeout(done, 1000 * wait));
  }
}

document.body.append(
  element(
    "header",
    { class: "top" },
    element("p", { class: "eyebrow" }, `${report.model}, step ${report.step.toLocaleString("en")}`),
    element("h1", {}, report.name),
  ),
  element("main", {}, element("section", { "aria-label": "Translate" }, ...translating())),
  element(
    "footer",
    {},
    `Images go to this server and nowhere else, and are not kept: up to ${report.max_mb} MB and ` +
      `${report.max_pixels.toLocaleString("en")} pixels.`,
  ),
);
document.documentElement.dataset.ready = "yes";
