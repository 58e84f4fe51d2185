/*
Takes an image: dropped, pasted, chosen, from the camera, or an example. Needs elements.js and intake.css, and nothing
of a server.

    const intake = makeIntake({ take: (file) => translate(file) });
    page.append(intake.root);

take(file)   is called with each image, a File
accept       types of files to choose from
invite(text) of the returned object changes the text that invites to drop one
examples     [{ name, src, look }, ...]: images to take by a click, fetched from `src`; `look`: smaller pictures of them
*/

const NO_CAMERA = {
  NotAllowedError: "The camera was refused. Allow it in the settings that your browser has for this page.",
  NotFoundError: "There is no camera.",
  NotReadableError: "The camera is in use by another program.",
};
const CAMERA = { video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 } }, audio: false };

function makeIntake({ take, accept = "image/*", examples = [] }) {
  const invitation = element("p", {});
  const input = element("input", { type: "file", accept, class: "unseen", tabindex: -1, "aria-label": "Image file" });
  const said = element("p", { class: "problem", role: "status", hidden: true });
  const camera = makeCamera((file) => take(file), say);
  const place = element(
    "div",
    { class: "drop" },
    invitation,
    element(
      "div",
      { class: "buttons" },
      button("Choose a file", () => input.click()),
      camera.start,
    ),
    input,
    camera.root,
    said,
  );
  function say(text) {
    said.textContent = text;
    said.hidden = !text;
  }
  function first(files) {
    if (!files.length) return;
    say("");
    take(files[0]);
  }
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
  const root = element("div", { class: "intake" }, place, examples.length ? exampleButtons(examples, take, say) : null);
  const invite = (text) => (invitation.textContent = text);
  invite("Drop an image here, or paste one");
  return { root, stop: camera.stop, invite };
}

/* A button for each example, with its picture; `begin` as of makeTurns. */
function exampleButtons(examples, take, say, begin = makeTurns()) {
  async function fetched({ name, src }) {
    const isWanted = begin();
    try {
      const answer = await fetch(src);
      if (!answer.ok) throw new Error();
      const blob = await answer.blob();
      if (!isWanted()) return;
      say("");
      take(new File([blob], name, { type: blob.type }));
    } catch {
      if (isWanted()) say("This example could not be read.");
    }
  }
  return element(
    "div",
    { class: "examples", role: "group", "aria-label": "Examples" },
    element("p", { class: "note" }, "Or take an example"),
    ...examples.map((example) =>
      element(
        "button",
        { type: "button", title: example.name, onclick: () => fetched(example) },
        element("img", { src: example.look ?? example.src, alt: example.name, loading: "lazy", draggable: "false" }),
      ),
    ),
  );
}

/* A camera: `start` is its button, `root` its view. Without one, or on a page that may not use it, both are null. */
function makeCamera(take, say) {
  if (!navigator.mediaDevices?.getUserMedia) return { start: null, root: null, stop: () => {} };
  const video = element("video", { playsinline: true, "aria-label": "View of the camera" });
  video.muted = true;
  const shoot = button("Take the picture", still, { class: "main" });
  const root = element(
    "div",
    { class: "camera", hidden: true },
    video,
    element("div", { class: "buttons" }, shoot, button("Cancel", cancel)),
  );
  const start = button("Use the camera", open);
  let stream = null,
    turn = 0; // of the request that is not outdated

  async function open() {
    const own = ++turn;
    say("");
    start.disabled = shoot.disabled = true;
    try {
      const given = await navigator.mediaDevices.getUserMedia(CAMERA);
      if (own !== turn) return end(given);
      stream = video.srcObject = given;
      root.hidden = false;
      await video.play();
      if (own !== turn) return;
      shoot.disabled = false;
      shoot.focus();
    } catch (error) {
      if (own !== turn) return;
      stop();
      say(NO_CAMERA[error.name] ?? "The camera does not start.");
    }
  }
  function stop() {
    turn++;
    end(stream);
    stream = video.srcObject = null;
    root.hidden = true;
    start.disabled = false;
  }
  function end(given) {
    for (const track of given?.getTracks() ?? []) track.stop();
  }
  function cancel() {
    stop();
    start.focus();
  }
  async function still() {
    const canvas = element("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    cancel();
    const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
    take(new File([blob], "camera.png", { type: "image/png" }));
  }
  return { start, root, stop };
}
