/* Pictures of sample strips: where each lies, and how one image changed during training. */

/* A picture of a strip as a canvas: `row` and `column` are [where it begins, its size], as shares of the strip. */
function cut(strip, row, column, label) {
  const canvas = element("canvas", { role: "img", "aria-label": label });
  const source = element("img", { src: address(strip) });
  source.decode().then(() => {
    const [x, y, width, height] = [
      column[0] * source.naturalWidth,
      row[0] * source.naturalHeight,
      column[1] * source.naturalWidth,
      row[1] * source.naturalHeight,
    ];
    [canvas.width, canvas.height] = [Math.round(width), Math.round(height)];
    canvas.getContext("2d").drawImage(source, x, y, width, height, 0, 0, canvas.width, canvas.height);
  });
  return canvas;
}

/* How an image changed: the input, its translation at each step, and what is the same in all strips at the end. */
function filmstrip(strips, layout, choose) {
  const directions = Object.keys(layout.columns).filter((each) => ["real", "fake"].every((role) => role in layout.columns[each]));
  const state = { direction: directions[0], row: 0 };
  const film = element("div", { class: "film", tabindex: 0, role: "group" });
  const rows = layout.rows.map((_, i) => [i, String(i + 1)]);
  const tools = element(
    "div",
    { class: "controls" },
    element("h3", {}, "One image during training"),
    directions.length > 1
      ? choices(
          "Direction of the film",
          directions.map((each) => [each, directed(each)]),
          state.direction,
          (direction) => change({ direction }),
        )
      : null,
    rows.length > 1 ? choices("Image", rows, 0, (row) => change({ row })) : null,
  );
  function frame(strip, role, caption, onclick = null) {
    const label = `${role} of image ${state.row + 1}, ${caption}`;
    const picture = cut(strip.picture, layout.rows[state.row], layout.columns[state.direction][role], label);
    const parts = [picture, element("span", { class: "caption-below" }, caption)];
    return onclick
      ? element("button", { type: "button", class: "frame-of-film", onclick }, ...parts)
      : element("span", { class: "frame-of-film" }, ...parts);
  }
  function change(to) {
    Object.assign(state, to);
    const newest = strips[strips.length - 1];
    film.setAttribute("aria-label", `Image ${state.row + 1} during training, ${directed(state.direction)}`);
    film.replaceChildren(
      frame(newest, "real", "input"),
      ...strips.map((strip, i) => frame(strip, "fake", `step ${strip.step.toLocaleString("en")}`, () => choose(i))),
      "target" in layout.columns[state.direction] ? frame(newest, "target", "target") : "",
    );
    requestAnimationFrame(() => (film.scrollLeft = film.scrollWidth)); // once it is in the page
  }
  change({});
  return element("div", { class: "during" }, tools, film);
}
