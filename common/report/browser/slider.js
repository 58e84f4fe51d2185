/* A slider between two pictures: what is in `over` is seen to the left of its border, what is in `under` to the right. */

function makeSlider() {
  const called = ["", ""];
  const under = element("div", { class: "layer" }),
    over = element("div", { class: "layer over" });
  const captions = [element("span", { class: "caption" }), element("span", { class: "caption right" })];
  const range = element("input", {
    type: "range",
    min: 0,
    max: 100,
    step: 1,
    value: 50,
    "aria-label": "Border between the two pictures",
    oninput: show,
  });
  const border = element("div", { class: "border" });
  const stage = element("div", { class: "stage" }, under, over, border, ...captions, range);

  function show() {
    stage.style.setProperty("--at", range.value + "%");
    range.setAttribute("aria-valuetext", `${range.value} % ${called[0]}, the rest ${called[1]}`);
  }
  function move(to) {
    range.value = to;
    show();
  }
  /* What the two pictures are called. */
  function call(left, right) {
    called.splice(0, 2, left, right);
    captions.forEach((caption, i) => (caption.textContent = called[i]));
    show();
  }
  /* How large they are, in pixels. */
  function size(width, height) {
    stage.style.setProperty("--ratio", width / height);
    stage.classList.toggle("pixels", Math.max(width, height) <= 64);
  }
  return { stage, under, over, move, call, size };
}
