/* Sample strips over time; `columns`: {direction: what its block shows, left to right}; `layout`: where, if known. */

function strips(found, columns, layout) {
  const blocks = Object.entries(columns).map(([direction, roles]) => `${directed(direction)}: ${roles.join(", ")}`);
  const roles = blocks.join("; ") || "real, fake, and reconstructed or target";
  const image = element("img", { class: "strip" }),
    said = element("output", { class: "step" });
  const labels = element("div", { class: "blocks" }, ...blocks.map((block) => element("span", {}, block)));
  const frame = element("div", { class: "frame" }, blocks.length ? labels : null, image);
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
    frame.style.setProperty("--natural", picture[0] + "px");
    image.alt = `Sample strip of step ${step}. ${roles}`;
    said.textContent = `step ${step.toLocaleString("en")}`;
    range.setAttribute("aria-valuetext", said.textContent);
  }
  function choose(index) {
    range.value = index;
    show();
  }
  show();
  const film = layout && found.length > 1 ? filmstrip(found, layout, choose) : null;
  return section(
    "Samples",
    film,
    element("h3", {}, "All samples"),
    element(
      "p",
      { class: "note" },
      blocks.length ? "Each row has an image of each domain." : `In each block, left to right: ${roles}.`,
    ),
    element("div", { class: "scrubber" }, range, said),
    frame,
  );
}
