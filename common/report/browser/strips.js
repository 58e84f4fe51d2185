/* Sample strips over time. */

function strips(found) {
  const image = element("img", { class: "strip" }),
    said = element("output", { class: "step" });
  const range = element("input", {
    type: "range",
    min: 0,
    max: found.length - 1,
    value: found.length - 1,
    step: 1,
    "aria-label": "Step of the sample strip",
    oninput: show,
  });
  function show() {
    const { step, picture } = found[range.value];
    image.src = address(picture);
    image.width = picture[0];
    image.height = picture[1];
    image.style.setProperty("--natural", picture[0] + "px");
    image.alt = `Sample strip of step ${step}: real, fake, and reconstructed or target images`;
    said.textContent = `step ${step.toLocaleString("en")}`;
    range.setAttribute("aria-valuetext", said.textContent);
  }
  show();
  return section(
    "Samples",
    element("p", { class: "note" }, "In each block, left to right: real, fake, and reconstructed or target."),
    element("div", { class: "scrubber" }, range, said),
    element("div", { class: "frame" }, image),
  );
}
