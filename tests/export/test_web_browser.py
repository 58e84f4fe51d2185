"""The page of an export, in Chromium: its parts with a runtime that stands in, its output with the real one."""

import contextlib
import functools
import http.server
import io
import os
import re
import shutil
import subprocess
import tarfile
import threading
import time

import numpy as np
import PIL.Image
import pytest

from common.errors import UserError
from common.export import Export, export, web_page, web_runtime
from common.images import files
from common.run.folder import load_run
from common.translate import Inference, Translator
from cyclegan import CycleGAN
from tests import small
from tests.export import stand_in_runtime
from tests.polling import wait_until

RANDOM = np.random.default_rng(0)
LABELS = {"channels": 1, "values": [[0], [1], [9]], "colours": [[250, 0, 0], [0, 250, 0], [0, 0, 250]]}
PAPER = {"height": 32, "width": 48, "background": "#ffffff", "colours": [], "only": False, "is_drawn": False}
CLASSES = PAPER | {
    "background": "#fa0000",
    "colours": ["#fa0000", "#00fa00", "#0000fa"],
    "stored": ["#000000", "#010101", "#090909"],
    "only": True,
}
RGB = {"channels": 3}
ENDS = {"source": RGB, "target": RGB}
COLOUR = (250, 120, 30)


class Static(http.server.SimpleHTTPRequestHandler):
    """Serves files with the policy of the page as a header, which holds for its worker, too."""

    def end_headers(self):
        self.send_header("Content-Security-Policy", web_page.POLICY)
        super().end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(folder):
    """Yields the address of a folder."""
    handler = functools.partial(Static, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def page_of(tmp_path):
    """A function that writes a page whose networks invert (A2B) or keep (B2A) what they take; returns its folder."""

    def write(has_gpu=False, **facts):
        runtime = web_runtime.load(str(stand_in_runtime.write(tmp_path / "package")), has_gpu)
        folder = tmp_path / "page"
        ways = {"A2B": "invert", "B2A": "keep"}
        directions = [
            {"name": way, "model": {"file": f"{way}.onnx", "bytes": len(text)}, "words": None, **ENDS, "drawing": PAPER}
            for way, text in ways.items()
        ]
        usual = {"name": "toy <run>", "model": "CycleGAN", "step": 1234, "dataset": "horses", "licence": "Ask."}
        usual |= {"sides": [32, 48], "any_size": True, "most_pixels": 10_000, "directions": directions}
        texts = {f"{way}.onnx": text.encode() for way, text in ways.items()}
        for name, content in (web_page.files({**usual, **facts}, runtime) | texts).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder

    return write


@pytest.fixture(scope="module")
def tab(browser):
    """A tab of the browser that tests use one after another: a new one takes a second."""
    with contextlib.closing(browser.new_context(accept_downloads=True)) as context:
        yield context.new_page()


@pytest.fixture
def opened(browser, tab):
    """A function that opens the page in a folder; what goes wrong in it, or is asked of others, fails the test.

    The page, one at a time, is in the tab that all tests use, unless `options` of a browser's context are given.
    """
    wrong = []
    with contextlib.ExitStack() as stack:

        def listen(source, event, listener):
            source.on(event, listener)
            stack.callback(source.remove_listener, event, listener)

        def open_page(folder, width=1200, height=900, expected=r"(?!)", color_scheme="light", **options):
            stack.close()  # of the page before
            address = stack.enter_context(serving(folder.parent)) + f"{folder.name}/"  # not at the root of a host
            shown = tab
            if options:
                shown = stack.enter_context(contextlib.closing(browser.new_context(**options))).new_page()
            stack.callback(shown.goto, "about:blank")
            stack.callback(shown.context.unroute_all)
            shown.set_viewport_size({"width": width, "height": height})
            shown.emulate_media(color_scheme=color_scheme, reduced_motion="reduce")  # nothing is seen half-way
            shown.set_default_timeout(15_000)
            shown.mouse.move(0, 0)
            own = (address, f"blob:{address}", "data:")
            listen(shown, "console", lambda said: re.search(expected, said.text) or wrong.append(said.text))
            listen(shown, "pageerror", lambda error: wrong.append(str(error)))
            listen(shown.context, "request", lambda request: request.url.startswith(own) or wrong.append(request.url))
            shown.goto(address)
            shown.wait_for_selector("html[data-ready]", state="attached")
            return shown

        yield open_page
    assert wrong == []


def choose(shown, path):
    shown.locator("input[type=file]").set_input_files(path)


def kept(shown, ending=".png"):
    """The pixels of the file that Download gives, whose name has an ending."""
    link = shown.locator(f"a.button[download$='{ending}']:visible")
    link.wait_for()
    with shown.expect_download() as download:
        link.click()
    return np.asarray(PIL.Image.open(download.value.path()).convert("RGB")).astype(int)


def written(path, pixels):
    files.write(path, np.asarray(pixels, np.uint8))
    return path


@pytest.fixture
def photo(tmp_path):
    return written(tmp_path / "my photo.png", np.full([60, 80, 3], COLOUR))


def test_an_image_is_translated_shown_and_downloaded(page_of, opened, photo):
    shown = opened(page_of())
    assert shown.title() == shown.locator("h1").text_content() == "toy <run>"
    assert shown.locator(".eyebrow").text_content() == "CycleGAN, trained on the dataset horses, step 1,234"
    assert "sent nowhere" in shown.locator("footer").text_content() and "Ask." in shown.locator("footer").text_content()
    choose(shown, photo)
    np.testing.assert_array_equal(kept(shown, "my photo_A2B.png"), np.full([60, 80, 3], (5, 135, 225)))
    stage = np.asarray(PIL.Image.open(io.BytesIO(shown.locator(".stage").screenshot())).convert("RGB")).astype(int)
    before, after = (stage[stage.shape[0] // 3, int(stage.shape[1] * at)] for at in (0.25, 0.75))
    assert np.abs(before - COLOUR).max() <= 6 and np.abs(after - (5, 135, 225)).max() <= 6
    shown.get_by_label("B → A").check()
    np.testing.assert_array_equal(kept(shown, "B2A.png"), np.full([60, 80, 3], COLOUR))


@pytest.mark.thorough
def test_a_still_of_the_camera_is_translated(page_of, opened):
    shown = opened(page_of(most_pixels=2**20))
    shown.evaluate(
        """(colour) => {
          const canvas = Object.assign(document.createElement("canvas"), { width: 160, height: 120 });
          const context = canvas.getContext("2d");
          context.fillStyle = `rgb(${colour})`;
          setInterval(() => context.fillRect(0, 0, 160, 120), 50);
          navigator.mediaDevices.getUserMedia = async () => canvas.captureStream();
        }""",
        ", ".join(map(str, COLOUR)),
    )
    shown.get_by_role("button", name="Use the camera").click()
    wait_until(shown, "document.querySelector('video').videoWidth > 0")
    shown.get_by_role("button", name="Take the picture").click()
    output = kept(shown, "camera_A2B.png")
    assert output.shape == (120, 160, 3) and np.abs(output - (5, 135, 225)).max() <= 8  # through a video


@pytest.mark.thorough
def test_it_is_copied(page_of, opened, photo):
    shown = opened(page_of(), permissions=["clipboard-read", "clipboard-write"])
    choose(shown, photo)
    shown.get_by_role("button", name="Copy").click()
    shown.get_by_text("Copied.").wait_for()
    size = shown.evaluate(
        """async () => {
          const [item] = await navigator.clipboard.read();
          const image = await createImageBitmap(await item.getType("image/png"));
          return [image.width, image.height];
        }"""
    )
    assert size == [80, 60]


@pytest.mark.thorough
def test_a_drawing_is_translated_after_each_stroke(page_of, opened):
    shown = opened(page_of())
    shown.get_by_label("Drawing", exact=True).first.check()
    shown.locator(".drawn canvas").wait_for()
    np.testing.assert_array_equal(kept(shown, "drawing_A2B.png"), np.zeros([32, 48, 3]))  # white paper, inverted
    box = shown.locator(".sheet canvas").bounding_box()
    shown.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    shown.mouse.down()
    shown.mouse.move(box["x"] + 3 * box["width"] / 4, box["y"] + box["height"] / 2, steps=4)
    shown.mouse.up()
    wait_until(
        shown,
        """() => {
          const canvas = document.querySelector(".drawn canvas");
          return canvas?.getContext("2d").getImageData(24, 16, 1, 1).data[0] === 255;
        }""",
    )
    drawn = kept(shown)
    assert drawn[16, 24].tolist() == [255, 255, 255] and not drawn[0].any()  # a black stroke


@pytest.mark.thorough
def test_a_page_of_drawings_opens_with_a_canvas_in_their_colours(page_of, opened):
    drawing = PAPER | {"background": "#f4f0e6", "colours": ["#0a0a0a", "#c81e1e"], "is_drawn": True}
    way = {"name": "A2B", "model": {"file": "B2A.onnx", "bytes": 4}, "words": ["sketches", "photographs"], **ENDS}
    shown = opened(page_of(directions=[{**way, "drawing": drawing}], summary="learned from sketches"))
    shown.get_by_text("A network that has learned from sketches.").wait_for()
    assert "Draw, and see the translation after each stroke." in shown.locator(".lead").text_content()
    np.testing.assert_array_equal(kept(shown, "drawing_A2B.png")[0, 0], (0xF4, 0xF0, 0xE6))  # the paper, kept as it is
    shown.get_by_label("#c81e1e").check()
    shown.get_by_label("Fill").check()
    shown.locator(".sheet canvas").click()
    wait_until(
        shown,
        """() => {
          const canvas = document.querySelector(".drawn canvas");
          return canvas?.getContext("2d").getImageData(24, 16, 1, 1).data[0] === 200;
        }""",
    )
    np.testing.assert_array_equal(kept(shown, "drawing_A2B.png")[16, 24], (200, 30, 30))


@pytest.mark.thorough
def test_an_image_can_be_drawn_on(page_of, opened, photo):
    shown = opened(page_of())
    choose(shown, photo)
    shown.get_by_role("button", name="Draw on it").click()
    np.testing.assert_array_equal(kept(shown, "drawing_A2B.png"), np.full([32, 48, 3], (5, 135, 225)))


@pytest.mark.thorough
def test_of_several_images_the_last_is_translated(page_of, opened, photo, tmp_path):
    """What is asked for while another image is translated, and then outdated, never reaches the worker."""
    folder = page_of()
    shown = opened(folder, expected="404")
    shown.evaluate(
        """() => {
          window.sent = [], window.given = [];
          const send = Worker.prototype.postMessage, link = document.querySelector("a.button");
          Worker.prototype.postMessage = function (message) {
            if (message.pixels) sent.push(message.width);
            send.call(this, message);
          };
          new MutationObserver(() => given.push(link.download)).observe(link, { attributeFilter: ["download"] });
        }"""
    )
    red = written(tmp_path / "red.png", np.full([20, 20, 3], (255, 0, 0)))
    for path in (red, written(tmp_path / "outdated.png", np.full([20, 21, 3], 9)), photo):
        choose(shown, path)
        shown.locator(f".layer.over canvas[aria-label='{path.name}']").wait_for()
    (folder / "released").touch()
    shown.locator("a.button[download='my photo_A2B.png']:visible").wait_for()
    assert shown.evaluate("sent") == [20, 80]
    assert set(shown.evaluate("given")) == {"my photo_A2B.png"}


@pytest.mark.thorough
def test_large_images_are_scaled_and_so_are_those_of_one_size(page_of, opened, tmp_path):
    image = written(tmp_path / "large.png", np.full([160, 250, 3], COLOUR))
    shown = opened(page_of())
    choose(shown, image)
    assert kept(shown).shape == (80, 125, 3)  # 10,000 pixels
    said = shown.locator(".note.said").text_content()
    assert "Scaled from 250 × 160 to 125 × 80 pixels" in said and "up to 10,000 pixels" in said
    shown = opened(page_of(any_size=False))
    choose(shown, image)
    assert kept(shown).shape == (80, 125, 3)
    assert "Translated at 48 × 32 pixels, the only size that" in shown.locator(".note.said").text_content()


@pytest.mark.thorough
def test_transparency_becomes_white_and_grey_is_luminance(page_of, opened, tmp_path):
    pixels = np.zeros([20, 20, 4], np.uint8)
    pixels[:10] = (200, 100, 50, 255)
    PIL.Image.fromarray(pixels).save(tmp_path / "alpha.png")
    shown = opened(page_of())
    shown.get_by_label("B → A").check()
    choose(shown, tmp_path / "alpha.png")
    output = kept(shown)
    assert output[0, 0].tolist() == [200, 100, 50] and output[-1, 0].tolist() == [255, 255, 255]
    grey = {
        "name": "A2B",
        "model": {"file": "B2A.onnx", "bytes": 4},
        "source": {"channels": 1},
        "target": {"channels": 1},
        "drawing": PAPER,
    }
    shown = opened(page_of(directions=[grey]))
    assert not shown.get_by_label("A → B").count()
    choose(shown, tmp_path / "alpha.png")
    assert kept(shown)[0, 0].tolist() == [124, 124, 124]  # 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2


@pytest.mark.thorough
def test_a_photograph_is_turned_as_the_toolkit_turns_it(page_of, opened, tmp_path):
    ramp = np.uint8(np.stack(np.meshgrid(np.arange(0, 200, 4), np.arange(0, 120, 4), [9]), axis=-1)[:, :, 0])
    about = PIL.Image.Exif()
    about[0x0112] = 6  # held upright
    PIL.Image.fromarray(ramp).save(tmp_path / "turned.jpg", exif=about, quality=100, subsampling=0)
    expected = files.read(tmp_path / "turned.jpg").astype(int)
    assert expected.shape == (50, 30, 3)
    shown = opened(page_of())
    shown.get_by_label("B → A").check()
    choose(shown, tmp_path / "turned.jpg")
    np.testing.assert_allclose(kept(shown), expected, rtol=0, atol=2)


@pytest.mark.thorough
def test_label_maps_keep_their_values_and_are_shown_in_colours(page_of, opened, tmp_path):
    ends = {"model": {"file": "B2A.onnx", "bytes": 4}, "source": LABELS, "target": LABELS, "drawing": CLASSES}
    folder = page_of(directions=[{"name": "A2B", **ends}])
    labels = RANDOM.choice([0, 1, 9], [40, 30])
    shown = opened(folder)
    choose(shown, written(tmp_path / "labels.png", labels[..., None]))
    np.testing.assert_array_equal(kept(shown)[..., 0], labels)
    colours = shown.evaluate(
        """() => {
          const canvas = document.querySelector(".layer:not(.over) canvas");
          return [...canvas.getContext("2d").getImageData(0, 0, 30, 40).data];
        }"""
    )
    expected = np.array(LABELS["colours"])[np.searchsorted([0, 1, 9], labels)]
    np.testing.assert_array_equal(np.reshape(colours, [40, 30, 4])[..., :3], expected)
    shown.get_by_role("button", name="Draw on it").click()
    assert np.unique(kept(shown, "drawing_A2B.png")).tolist() == [0, 1, 9]
    shown.get_by_label("Image", exact=True).check()
    choose(shown, written(tmp_path / "photo.png", np.full([20, 20, 3], COLOUR)))
    shown.get_by_text("This image has colours, but the label maps of this network are grey").wait_for()
    PIL.Image.fromarray(np.full([20, 20, 4], 9, np.uint8)).save(tmp_path / "alpha.png")
    choose(shown, tmp_path / "alpha.png")
    shown.get_by_text("a label map must be opaque").wait_for()
    shown.get_by_label("Drawing", exact=True).first.check()
    shown.get_by_role("button", name="Clear").click()
    wait_until(
        shown,
        """() => {
          const canvas = document.querySelector(".drawn canvas");
          const pixels = canvas?.getContext("2d").getImageData(0, 0, 48, 32).data ?? [0];
          return pixels.every((level, i) => level === [250, 0, 0, 255][i % 4]);
        }""",
    )
    np.testing.assert_array_equal(kept(shown, "drawing_A2B.png"), np.zeros([32, 48, 3]))  # the value of that class


@pytest.mark.thorough
def test_what_is_wrong_is_said(page_of, opened, photo, tmp_path):
    folder = page_of()
    shown = opened(folder, expected="a secret")
    (tmp_path / "text.png").write_text("text")
    for name, sentence in {
        "text.png": "This file cannot be read as an image by this browser",
        "13.png": "There is not enough memory for this image in this browser. Choose a smaller one.",
        "14.png": "This browser could not run the network. Its console has the reason.",
    }.items():
        if name != "text.png":
            written(tmp_path / name, RANDOM.integers(0, 9, [20, int(name[:2]), 3]))
        choose(shown, tmp_path / name)
        shown.get_by_text(sentence).wait_for()
        assert not shown.locator("a.button").is_visible()
    choose(shown, photo)  # in a new worker
    np.testing.assert_array_equal(kept(shown)[0, 0], (5, 135, 225))
    (folder / "A2B.onnx").unlink()
    shown = opened(folder, expected="404")
    shown.get_by_text("The file A2B.onnx could not be loaded. Is it on the server, next to this page?").wait_for()


@pytest.mark.thorough
def test_what_a_gpu_refuses_is_computed_without_it(page_of, opened, photo, tmp_path):
    shown = opened(page_of(has_gpu=True))
    choose(shown, photo)
    np.testing.assert_array_equal(kept(shown)[0, 0], (5, 135, 225))
    shown.get_by_text(re.compile(r"Translated in [\d.]+ s on the GPU\.")).wait_for()
    choose(shown, written(tmp_path / "wide.png", np.full([20, 15, 3], COLOUR)))
    np.testing.assert_array_equal(kept(shown, "wide_A2B.png")[0, 0], (5, 135, 225))
    shown.get_by_text(re.compile(r"Translated in [\d.]+ s\.")).wait_for()


def test_a_lost_connection_is_said_and_the_loaded_network_stays(page_of, opened, photo):
    """Of the second network, with a drawing that the first one has translated."""
    shown = opened(page_of(), expected="ERR_")
    shown.get_by_label("Drawing", exact=True).first.check()
    shown.locator(".drawn canvas").wait_for()
    shown.context.route("**/B2A.onnx*", lambda route: route.abort())
    shown.get_by_label("B → A").check()
    shown.get_by_text("The network could not be loaded. Check the connection, and try again.").wait_for()
    shown.locator(".drawn canvas").wait_for(state="detached")
    shown.get_by_label("Image", exact=True).check()
    assert not shown.locator(".stage").is_visible()
    shown.context.route("**/A2B.onnx*", lambda route: route.abort())
    shown.get_by_label("A → B").check()
    choose(shown, photo)
    np.testing.assert_array_equal(kept(shown, "A2B.png")[0, 0], (5, 135, 225))
    shown.context.unroute_all()
    shown.get_by_label("B → A").check()
    np.testing.assert_array_equal(kept(shown, "B2A.png")[0, 0], COLOUR)


@pytest.mark.thorough
def test_a_worker_that_fails_while_it_is_idle_is_replaced(page_of, opened):
    shown = opened(page_of())
    answers = shown.evaluate(
        """async () => {
          const workers = [];
          window.Worker = class extends EventTarget {
            constructor() {
              super();
              this.number = workers.push(this);
            }
            postMessage({ id }) {
              setTimeout(() => this.dispatchEvent(new MessageEvent("message", { data: { id, by: this.number } })));
            }
            terminate() {
              this.isEnded = true;
            }
          };
          const network = makeNetwork({ runtime: {}, loading: () => {}, ready: () => {} });
          const first = await network.translate({}, { pixels: [] });
          workers[0].dispatchEvent(new Event("error"));
          const second = network.translate({}, { pixels: [] });
          workers[0].dispatchEvent(new Event("error")); // late, of the one that has been replaced
          return [first.by, workers[0].isEnded, (await second).by, Boolean(workers[1].isEnded)];
        }"""
    )
    assert answers == [1, True, 2, False]


@pytest.mark.thorough
def test_it_says_what_it_translates(page_of, opened):
    ways = [
        {"name": "A2B", "words": ["horses", "zebras"], **ENDS, "drawing": PAPER},
        {"name": "B2A", "words": ["zebras", "horses"], **ENDS, "drawing": PAPER},
    ]
    shown = opened(page_of(directions=[{**way, "model": {"file": "A2B.onnx", "bytes": 1}} for way in ways]))
    assert shown.locator(".lead").inner_text().strip() == "Translates horses to zebras."
    shown.get_by_label("zebras → horses").check()
    shown.get_by_label("Drawing").check()
    assert shown.locator(".lead").inner_text() == (
        "Translates zebras to horses. Draw, and see the translation after each stroke."
    )


@pytest.mark.thorough
def test_opened_as_a_file_it_says_that_it_needs_a_server(page_of, browser):
    with contextlib.closing(browser.new_page()) as shown:
        shown.goto((page_of() / "index.html").as_uri())
        shown.get_by_text("Browsers do not let a page that was opened as a file load a network.").wait_for()
        assert not shown.locator("input[type=file]").count()


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_is_used_by_keyboard(page_of, opened, photo, scheme):
    shown = opened(page_of(), width=390, height=800, color_scheme=scheme)
    choose(shown, photo)
    shown.locator("a.button:visible").wait_for()
    names = set()
    for _ in range(24):  # all around
        shown.keyboard.press("Tab")
        names.add(
            shown.evaluate(
                """() => {
                  const at = document.activeElement;
                  return at.getAttribute("aria-label") || at.value || at.textContent;
                }"""
            )
        )
    assert {"A2B", "image", "Choose a file", "Border between the two pictures", "Download", "Draw on it"} <= names
    for mode in ("Image", "Drawing"):
        shown.get_by_label(mode, exact=True).first.check()
        shown.locator("a.button:visible").wait_for()
        assert shown.evaluate("document.documentElement.scrollWidth") <= 390
        if folder := os.environ.get("SCREENSHOTS"):
            shown.screenshot(path=f"{folder}/web-phone-{scheme}-{mode.lower()}.png", full_page=True)


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    """The script of axe-core, which finds barriers in pages; fetched by npm."""
    npm, folder = shutil.which("npm"), tmp_path_factory.mktemp("axe")
    if not npm:
        pytest.skip("npm, which fetches axe-core, is missing")
    command = [npm, "pack", "axe-core@4.14.1", "--ignore-scripts", "--prefer-offline"]
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    if done.returncode:
        pytest.skip("npm could not fetch axe-core")
    (path,) = folder.glob("*.tgz")
    with tarfile.open(path) as archive:
        return archive.extractfile("package/axe.min.js").read().decode()


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_barrier(page_of, opened, photo, axe, scheme):
    shown = opened(page_of(), color_scheme=scheme)
    shown.evaluate(axe)
    for mode in ("Image", "Drawing"):
        shown.get_by_label(mode, exact=True).first.check()
        if mode == "Image":
            choose(shown, photo)
        shown.locator("a.button:visible").wait_for()
        barriers = shown.evaluate("axe.run()")["violations"]
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in barriers] == []


# With onnxruntime-web itself


@pytest.fixture(scope="module")
def cyclic(tmp_path_factory, one_block):
    """A CycleGAN whose networks take any size, padded to multiples of four."""
    dual = CycleGAN(image_size=32, load_size=0, ngf=8, ndf=4, n_layers=1, netG="resnet_6blocks")
    return small.untrained(tmp_path_factory.mktemp("cyclic") / "run", dual)


@pytest.fixture(scope="module")
def package():
    """The path of onnxruntime-web, in WEB_RUNTIME; without it, "" if npm has it, in its cache or its registry."""
    path = os.environ.get("WEB_RUNTIME", "")
    try:
        web_runtime.load(path)
    except UserError as error:
        pytest.skip(str(error))
    return path


@pytest.mark.thorough
@pytest.mark.parametrize("has_gpu", [False, True])
def test_it_translates_as_the_run_does(cyclic, one_block, package, opened, tmp_path, has_gpu):
    """Images of several sizes, of both directions, within two grey levels, in a page that may run nothing else.

    The GPU is Chromium's own program in place of one.
    """
    pytest.importorskip("tf2onnx")
    pytest.importorskip("onnxruntime")
    options = Export(format="web", output=str(tmp_path / "page"), web_runtime=package, web_gpu=has_gpu)
    export(cyclic, options, load_run(cyclic).images)
    shown = opened(tmp_path / "page")
    shown.set_default_timeout(100_000)  # a program takes seconds to prepare for each size what a GPU computes
    sizes = ((32, 32), (37, 29), (50, 64))
    with Translator(cyclic, Inference(scale_to="keep")) as translator:
        for direction in ("A2B", "B2A"):
            shown.get_by_label(f"{direction[0]} → {direction[-1]}").check()
            for height, width in sizes[:1] if has_gpu else sizes:
                image = RANDOM.integers(0, 256, [height, width, 3], np.uint8)
                name = f"{direction}-{height}.png"
                began = time.perf_counter()
                choose(shown, written(tmp_path / name, image))
                output = kept(shown, f"{direction}-{height}_{direction}.png")
                seconds, run = time.perf_counter() - began, translator(direction, image).astype(int)
                assert output.shape == run.shape and run.std() > 5
                difference = np.abs(output - run).max()
                print(
                    f"{name}: {difference} grey levels, {seconds:.2f} s; {shown.locator('.said').last.text_content()}"
                )
                assert difference <= 2
                assert ("on the GPU" in shown.locator(".said").last.text_content()) is has_gpu
