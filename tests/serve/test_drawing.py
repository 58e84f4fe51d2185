"""The canvas of the page: what is drawn on it, sent, and shown translated."""

import statistics
import time

import numpy as np
import pytest

from common.images import files
from pix2pix import Pix2Pix
from tests import serving, small

WIDTH, HEIGHT = 64, 48  # of the canvas of the stand-in
ORANGE, INVERTED = (250, 120, 30), (5, 135, 225)


@pytest.fixture
def drawn(opened):
    """A function that opens the page at its canvas, and returns it and the requests for translations."""

    def open_canvas(*server, **options):
        requests = []
        shown = opened(*server, **options)
        shown.on("request", lambda request: requests.append(request) if "/translate" in request.url else None)
        shown.get_by_label("Draw", exact=True).check()
        return shown, requests

    return open_canvas


PIXELS = """(source) => {
  const size = [source.naturalWidth || source.width, source.naturalHeight || source.height];
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = size;
  const context = canvas.getContext("2d");
  context.drawImage(source, 0, 0);
  return [...size, ...context.getImageData(0, 0, ...size).data];
}"""


def pixels(shown, selector):
    """The pixels of an image or a canvas of the page, [H, W, 3]."""
    width, height, *values = shown.locator(selector).first.evaluate(PIXELS)
    return np.array(values, np.uint8).reshape(height, width, 4)[..., :3]


def on_canvas(shown):
    return pixels(shown, ".sheet canvas")


def translation(shown, is_expected):
    """The pixels of the translation, once `is_expected` of them."""
    end, picture = time.monotonic() + 10, ".output .layer:not(.over) img"
    while time.monotonic() < end:
        if shown.locator(picture).count() and is_expected(found := pixels(shown, picture)):
            return found
        time.sleep(0.05)
    raise AssertionError("the translation has not become as expected")


def inverted(shown):
    """Waits until the translation is the inverted canvas; returns it."""
    return translation(shown, lambda found: np.array_equal(found, 255 - on_canvas(shown)))


def stroke(shown, *points):
    """Draws through points, in shares of the sides of the canvas."""
    box = shown.locator(".sheet canvas").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    shown.mouse.move(*places[0])
    shown.mouse.down()
    for place in places[1:]:
        shown.mouse.move(*place, steps=8)
    shown.mouse.up()


def fill(shown, colour):
    """Fills the canvas at its middle."""
    shown.get_by_label("Colour", exact=True).fill("#" + bytes(colour).hex())
    shown.get_by_label("Fill").check()
    stroke(shown, (0.5, 0.5))


def test_what_is_drawn_is_translated(drawn):
    shown, _ = drawn()
    fill(shown, ORANGE)
    assert (inverted(shown) == INVERTED).all()
    shown.get_by_label("Pen", exact=True).check()
    shown.get_by_label("Colour", exact=True).fill("#000000")
    shown.get_by_label("Width").fill("5")
    stroke(shown, (0.1, 0.5), (0.9, 0.5))
    inked = (inverted(shown)[:, 32] == 255).all(axis=-1)
    assert 4 <= inked.sum() <= 6 and inked[22:26].all()  # around the middle row, as wide as the pen
    assert (shown.locator(".output .stage").bounding_box()["width"]) > 300 and shown.locator(".time").text_content()


@pytest.mark.thorough
def test_undo_redo_eraser_and_clear(drawn):
    shown, _ = drawn()
    undo, redo = (shown.get_by_role("button", name=name) for name in ("Undo", "Redo"))
    assert undo.is_disabled() and redo.is_disabled()
    fill(shown, ORANGE)
    undo.click()
    assert (inverted(shown) == 0).all()  # of the white canvas
    assert undo.is_disabled()
    redo.click()
    assert (inverted(shown) == INVERTED).all()
    shown.get_by_label("Eraser").check()
    shown.get_by_label("Width").fill("9")
    stroke(shown, (0.2, 0.5), (0.8, 0.5))
    erased = inverted(shown)
    assert (erased[24, 32] == 0).all() and (erased[5] == INVERTED).all()
    shown.get_by_role("button", name="Clear").click()
    assert (inverted(shown) == 0).all()
    undo.click()
    np.testing.assert_array_equal(inverted(shown), erased)


@pytest.mark.thorough
def test_it_is_drawn_by_keys_alone(drawn):
    """From the middle, (32, 24), ten steps of a pixel to the right, with a pen of two pixels."""
    shown, requests = drawn()
    shown.locator(".sheet canvas").focus()
    shown.keyboard.press("f")
    assert shown.get_by_label("Fill").is_checked()
    shown.keyboard.press("p")
    for _ in range(9):
        shown.keyboard.press("[")
    shown.keyboard.press("]")
    assert shown.get_by_label("Width").input_value() == "2"
    shown.keyboard.press("Space")
    for _ in range(10):
        shown.keyboard.press("ArrowRight")
    shown.wait_for_timeout(300)
    assert not requests  # the pen is down
    shown.keyboard.press("Space")
    rows, columns = np.nonzero((inverted(shown) > 128).all(axis=-1))
    assert set(rows) == {23, 24} and (columns.min(), columns.max()) == (31, 42)
    shown.keyboard.press("Control+z")
    assert (on_canvas(shown) == 255).all()
    shown.keyboard.press("Control+Shift+z")
    assert not (on_canvas(shown) == 255).all()


@pytest.mark.thorough
def test_it_is_drawn_with_a_finger(drawn):
    """Which moves the pen and not the page, that of a phone."""
    shown, _ = drawn(width=390, height=500, has_touch=True, is_mobile=True)
    shown.locator(".sheet canvas").scroll_into_view_if_needed()
    box, before = shown.locator(".sheet canvas").bounding_box(), shown.evaluate("scrollY")
    device = shown.context.new_cdp_session(shown)
    shares = np.linspace(0.9, 0.1, 9)
    for kind, points in (("touchStart", shares[:1]), *(("touchMove", [share]) for share in shares), ("touchEnd", [])):
        places = [{"x": box["x"] + box["width"] / 2, "y": box["y"] + share * box["height"]} for share in points]
        device.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})
    inked = (inverted(shown)[:, 32] > 200).all(axis=-1)
    assert inked[6:42].all() and not inked[:3].any() and shown.evaluate("scrollY") == before
    assert shown.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.thorough
def test_label_maps_are_drawn_in_the_values_of_their_classes(drawn, starting):
    """The stand-in makes 100, 100, 100 of the value 1."""
    shown, _ = drawn(starting("-m", "tests.serving", "--port", "0", "--labels", "1"))
    assert shown.locator(".inked").count() == 3 and not shown.get_by_label("Colour", exact=True).count()
    assert (on_canvas(shown) == serving.COLOURS[0]).all()
    shown.get_by_label("Class 3, #1e5ac8").check()
    shown.get_by_label("Width").fill("7")
    stroke(shown, (0.1, 0.2), (0.8, 0.7))
    drawing = on_canvas(shown)
    is_third = (drawing == serving.COLOURS[2]).all(axis=-1)
    assert (is_third | (drawing == serving.COLOURS[0]).all(axis=-1)).all() and 200 < is_third.sum() < 500
    translation(shown, lambda found: np.array_equal(found, np.repeat(200 * is_third[..., None], 3, axis=-1)))
    shown.get_by_label("Fill").check()
    shown.get_by_label("Class 2, #c81e1e").check()
    stroke(shown, (0.9, 0.1))
    translation(shown, lambda found: (found[is_third] == 200).all() and (found[~is_third] == 100).all())


@pytest.mark.thorough
def test_a_label_map_in_a_file_begins_a_drawing_in_the_colours_of_its_classes(drawn, starting, tmp_path):
    shown, _ = drawn(starting("-m", "tests.serving", "--port", "0", "--labels", "1"))
    height, width = on_canvas(shown).shape[:2]
    numbers = np.arange(height * width, dtype=np.uint8).reshape(height, width) % 3
    files.write(tmp_path / "labels.png", numbers[..., None])
    shown.locator("input[type=file]").set_input_files(tmp_path / "labels.png")
    translation(shown, lambda found: np.array_equal(found, np.repeat(100 * numbers[..., None], 3, axis=-1)))
    np.testing.assert_array_equal(on_canvas(shown), serving.COLOURS[numbers])


@pytest.mark.thorough
def test_outdated_drawings_are_not_translated(drawn, starting):
    shown, requests = drawn(starting("-m", "tests.serving", "--port", "0", "--seconds", "1"))
    for level in range(7):
        fill(shown, (level, 0, 0))
        shown.wait_for_timeout(150)
    translation(shown, lambda found: (found == (255 - 6, 255, 255)).all())
    assert 2 <= len(requests) <= 4


@pytest.mark.thorough
def test_a_drawing_begins_with_an_image(drawn, photo):
    shown, _ = drawn()
    shown.locator("input[type=file]").set_input_files(photo)
    assert (translation(shown, lambda found: True) == INVERTED).all()  # 4:3, as the canvas is
    shown.get_by_role("button", name="Clear").click()
    shown.get_by_label("Image", exact=True).check()
    shown.locator("input[type=file]").set_input_files(photo)
    shown.get_by_role("link", name="Download").wait_for()
    shown.get_by_role("button", name="Draw on this image").click()
    translation(shown, lambda found: found.shape == (HEIGHT, WIDTH, 3) and (found == INVERTED).all())


@pytest.mark.thorough
def test_a_domain_of_16_bits_has_no_canvas(opened, starting):
    shown = opened(starting("-m", "tests.serving", "--port", "0", "--deep", "1"))
    assert shown.get_by_label("Draw", exact=True).is_visible()
    shown.get_by_label("B → A").check()
    assert not shown.get_by_label("Draw", exact=True).is_visible()


@pytest.mark.thorough
@pytest.mark.parametrize(("size", "limit"), [(64, 1.0), pytest.param(256, 2.0, marks=pytest.mark.slow)])
def test_a_translation_soon_follows_a_stroke(drawn, starting, tmp_path, size, limit):
    """Prints the median time, of a U-Net at `size` pixels, from the end of a stroke to the shown translation."""
    dual = Pix2Pix(image_size=size, netG=f"unet_{size}", ngf=32)
    run = small.untrained(tmp_path / "run", dual)
    server = starting("-m", "pix2pix.main", "--phase", "serve", "--port", "0", "--run_dir", run)
    shown, _ = drawn(server)
    shown.evaluate(
        """() => {
          window.times = [];
          let ended = null;
          document.querySelector(".sheet canvas").addEventListener("pointerup", () => (ended = performance.now()));
          const layer = document.querySelector(".output .layer:not(.over)");
          new MutationObserver(() => {
            if (ended !== null) requestAnimationFrame(() => times.push(performance.now() - ended));
          }).observe(layer, { childList: true });
        }"""
    )
    for number in range(12):
        stroke(shown, (0.1, 0.07 * number + 0.1), (0.9, 0.07 * number + 0.05))
        while shown.evaluate("times.length") <= number:
            shown.wait_for_timeout(20)
    times = [milliseconds / 1000 for milliseconds in shown.evaluate("times")]
    median = statistics.median(times[1:])
    print(f"{size} pixels: first {times[0]:.2f} s, median of {len(times) - 1} more {median:.2f} s")
    assert median < limit
