"""The pixels of drawings and of translations in a browser, compared with NumPy and SciPy."""

import pathlib

import numpy as np
import pytest
from scipy import ndimage

from common.report import page

EXPORT = pathlib.Path(page.__file__).parents[1] / "export" / "browser"
COLOURS = np.array([(0, 0, 0), (250, 250, 240), (200, 30, 30), (30, 90, 200), (31, 90, 200)])
STORED = np.array([(0, 0, 0), (1, 1, 1), (2, 2, 2), (250, 250, 240), (9, 9, 9)])
PUT = """([height, width, values]) => {
  const canvas = element("canvas", { width, height });
  window.context = canvas.getContext("2d", { willReadFrequently: true });
  const image = new ImageData(width, height);
  image.data.set(values);
  context.putImageData(image, 0, 0);
  window.read = (canvas) => Array.from(canvas.getContext("2d").getImageData(0, 0, width, height).data);
}"""

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def shown(browser):
    """A page that has the functions of drawings and of the export's pixels."""
    scripts = [page.browser("elements.js"), page.browser("strokes.js"), (EXPORT / "pixels.js").read_text()]
    context = browser.new_context()
    shown = context.new_page()
    shown.set_content('<script id="data" type="application/json">{}</script>')
    shown.add_script_tag(content="\n".join(scripts))
    yield shown
    context.close()


def put(shown, pixels):
    """Puts pixels, [H, W, 3], on a canvas, of which `context` is the context in the page."""
    opaque = np.concatenate([pixels, np.full([*pixels.shape[:2], 1], 255)], axis=-1)
    shown.evaluate(PUT, [*pixels.shape[:2], opaque.ravel().tolist()])


def read(shown, shape, script, *args):
    """The pixels of the canvas that a script returns, [H, W, 3]; all are opaque."""
    values = shown.evaluate(f"async (args) => read(await (async () => {{ {script} }})())", args)
    pixels = np.array(values).reshape(*shape, 4)
    assert (pixels[..., 3] == 255).all()
    return pixels[..., :3]


def hexes(colours):
    return ["#" + bytes(colour.tolist()).hex() for colour in colours]


def noise(seed, *shape, most=256):
    return np.random.default_rng(seed).integers(0, most, [*shape, 3])


@pytest.mark.parametrize(("is_exact", "most"), [(False, 40), (True, 0)])
def test_what_is_connected_is_filled(shown, is_exact, most):
    """By squares, not over corners, at borders, too."""
    for seed, start in ((0, (0, 0)), (1, (22, 16)), (2, (44, 32)), (3, (100, -5))):
        pixels = noise(seed, 33, 45, most=3) * 30  # 0, 30 or 60: a step is filled, two are not
        put(shown, pixels)
        column, row = np.clip(start, 0, (44, 32))
        alike = (abs(pixels - pixels[row, column]) <= most).all(axis=-1)
        parts, _ = ndimage.label(alike)
        expected = np.where((parts == parts[row, column])[..., None], (1, 2, 3), pixels)
        script = 'floodFill(context, ...args[0], "#010203", args[1]); return context.canvas;'
        np.testing.assert_array_equal(read(shown, (33, 45), script, start, is_exact), expected)


def test_colours_become_the_nearest_and_of_several_the_first(shown):
    pixels = noise(4, 33, 45)
    pixels[0, 0] = (15, 45, 100)  # halfway between the first and the fourth
    colours = np.concatenate([COLOURS, COLOURS[:1]])
    put(shown, pixels)
    distances = ((pixels[..., None, :] - colours) ** 2).sum(axis=-1)
    script = "toColours(context, args[0]); return context.canvas;"
    np.testing.assert_array_equal(read(shown, (33, 45), script, hexes(colours)), colours[distances.argmin(axis=-1)])


def test_files_have_the_stored_values_of_colours_and_other_pixels_stay(shown):
    classes = np.random.default_rng(5).integers(0, 6, [33, 45])
    put(shown, np.concatenate([COLOURS, [(7, 7, 7)]])[classes])
    script = """
      const bitmap = await createImageBitmap(fileOf(context.canvas, ...args));
      const canvas = element("canvas", { width: bitmap.width, height: bitmap.height });
      canvas.getContext("2d").drawImage(bitmap, 0, 0);
      return canvas;"""
    shows = read(shown, (33, 45), script, hexes(COLOURS), hexes(STORED))
    np.testing.assert_array_equal(shows, np.concatenate([STORED, [(7, 7, 7)]])[classes])


@pytest.mark.parametrize("channels", [1, 3])
def test_outputs_are_painted_and_taken_as_they_are_and_in_colours(shown, channels):
    values, colours = STORED[:3, :channels], COLOURS[1:4]
    classes = np.random.default_rng(6).integers(0, 4, [33, 45])
    pixels = np.concatenate([values, np.full([1, channels], 77)])[classes]
    answer = {"width": 45, "height": 33, "channels": channels, "pixels": pixels.ravel().tolist()}
    end = {"channels": channels, "values": values.tolist(), "colours": colours.tolist()}
    painted = "const image = { ...args[0], pixels: Uint8Array.from(args[0].pixels) };"
    grey = pixels + np.zeros([1, 1, 3], int)
    put(shown, grey)
    for is_shown, expected in ((False, grey), (True, np.concatenate([colours, [(77, 77, 77)]])[classes])):
        script = f"{painted} return painted(image, args[1], args[2]);"
        np.testing.assert_array_equal(read(shown, (33, 45), script, answer, end, is_shown), expected)
    taken = shown.evaluate("(end) => Array.from(taken(context.canvas, end).pixels)", end)
    np.testing.assert_array_equal(taken, pixels.ravel())


def test_grey_inputs_are_luminance(shown):
    pixels = noise(7, 33, 45)
    put(shown, pixels)
    expected = np.rint(pixels @ (0.299, 0.587, 0.114))
    taken = shown.evaluate("Array.from(taken(context.canvas, { channels: 1 }).pixels)")
    np.testing.assert_array_equal(taken, expected.ravel())


def test_a_megapixel_does_not_freeze_the_page(shown):
    """A generous bound, which allocations at each pixel exceed: they take more than a second."""
    put(shown, noise(8, 4, 4))
    script = """(args) => {
      const canvas = element("canvas", { width: 1024, height: 1024 });
      canvas.getContext("2d").drawImage(context.canvas, 0, 0, 1024, 1024);
      const began = performance.now();
      fileOf(canvas, ...args);
      return performance.now() - began;
    }"""
    assert min(shown.evaluate(script, [hexes(COLOURS), hexes(STORED)]) for _ in range(3)) < 500
