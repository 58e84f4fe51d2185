"""The page of the server, in a browser."""

import io
import os
import re
import time

import numpy as np
import PIL.Image
import pytest

from common.images import files
from tests.serve.client import encoded, image
from tests.serve.conftest import STAND_IN

CAMERA = """() => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [80, 60];
  const context = canvas.getContext("2d");
  setInterval(() => {
    context.fillStyle = "rgb(250, 120, 30)";
    context.fillRect(0, 0, 80, 60);
  }, 50);
  window.stream = canvas.captureStream(20);
  navigator.mediaDevices.getUserMedia = async () => stream;
}"""
REFUSED = """() => {
  navigator.mediaDevices.getUserMedia = async () => {
    throw new DOMException("", "NotAllowedError");
  };
}"""


def choose(shown, path):
    shown.locator("input[type=file]").set_input_files(path)


def seen(shown, at):
    """The colour of the slider's stage, at a share of its width, in the middle of its height."""
    stage = np.asarray(PIL.Image.open(io.BytesIO(shown.locator(".stage").screenshot())).convert("RGB")).astype(int)
    return stage[stage.shape[0] // 3, int(stage.shape[1] * at)]


def test_an_image_is_seen_before_and_after_and_downloaded(opened, photo, tmp_path):
    shown = opened()
    assert shown.title() == "stand-in" and shown.locator("h1").text_content() == "stand-in"
    choose(shown, photo)
    download = shown.get_by_role("link", name="Download")
    download.wait_for()
    assert np.abs(seen(shown, 0.25) - (250, 120, 30)).max() <= 6
    assert np.abs(seen(shown, 0.75) - (5, 135, 225)).max() <= 6  # inverted
    border = shown.get_by_label("Border between the two pictures")
    border.fill("90")
    assert np.abs(seen(shown, 0.75) - (250, 120, 30)).max() <= 6
    with shown.expect_download() as kept:
        download.click()
    assert kept.value.suggested_filename == "my photo_A2B.png"
    kept.value.save_as(tmp_path / "kept.png")
    np.testing.assert_array_equal(files.read(tmp_path / "kept.png")[0, 0], (5, 135, 225))
    shown.get_by_label("B → A").check()
    shown.locator("a.button[download$='B2A.png']").wait_for()
    assert np.abs(seen(shown, 0.75) - (250, 120, 30)).max() <= 6  # as it is


@pytest.mark.thorough
def test_an_image_is_dropped_on_the_page(opened, photo):
    shown = opened()
    bytes_of = list(photo.read_bytes())
    given = shown.evaluate_handle(
        """(bytes) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" }));
          return data;
        }""",
        bytes_of,
    )
    shown.dispatch_event(".drop", "dragover", {"dataTransfer": given})
    assert "over" in shown.locator(".drop").get_attribute("class")
    shown.dispatch_event(".drop", "drop", {"dataTransfer": given})
    shown.get_by_role("link", name="Download").wait_for()
    assert shown.locator("a.button").get_attribute("download") == "dropped_A2B.png"


@pytest.mark.thorough
def test_what_is_to_be_known_is_said_on_the_page(opened, photo, tmp_path):
    shown = opened()
    frames = [PIL.Image.fromarray(image(20, 20)) for _ in range(2)]
    frames[0].save(tmp_path / "moving.webp", save_all=True, append_images=frames[1:])
    choose(shown, tmp_path / "moving.webp")
    shown.get_by_text("The image has several frames, of which only the first is read.").wait_for()
    assert shown.get_by_role("link", name="Download").is_visible() and not shown.locator(".said.wrong").count()
    choose(shown, photo)
    shown.get_by_role("link", name="Download").wait_for()
    assert shown.locator(".said").text_content() == ""


@pytest.mark.thorough
def test_what_is_wrong_is_said_on_the_page(opened, photo, tmp_path, stand_in):
    """And what was made of another image before is seen no more."""
    shown = opened()
    choose(shown, photo)
    shown.get_by_role("link", name="Download").wait_for()
    files.write(tmp_path / "large.png", image(101, 100))
    with shown.expect_response("**/translate*") as response:
        choose(shown, tmp_path / "large.png")
    assert response.value.status == 413
    shown.get_by_text("The image has 10,100 pixels, but the limit is 10,000.").wait_for()
    assert shown.locator(".said.wrong").count() == 1 and not shown.get_by_role("link", name="Download").is_visible()
    assert not shown.locator(".stage").is_visible()
    choose(shown, photo)
    shown.get_by_role("link", name="Download").wait_for()
    assert shown.locator(".stage").is_visible() and not shown.locator(".said.wrong").count()


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_either_scheme(opened, photo, scheme):
    shown = opened(width=375, height=740, color_scheme=scheme)
    choose(shown, photo)
    shown.get_by_role("link", name="Download").wait_for()
    assert shown.evaluate("document.documentElement.scrollWidth") <= 375
    ground = shown.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground))) > 380) == (scheme == "light")
    if folder := os.environ.get("SCREENSHOTS"):
        shown.screenshot(path=f"{folder}/phone-{scheme}.png", full_page=True)


@pytest.mark.thorough
def test_an_image_is_copied_as_png(opened, photo, tmp_path):
    """Also that of another format, which the clipboard does not take."""
    shown = opened(permissions=["clipboard-read", "clipboard-write"])
    PIL.Image.open(photo).save(tmp_path / "photo.webp", lossless=True)
    for path in (photo, tmp_path / "photo.webp"):
        choose(shown, path)
        shown.locator(f"img[alt='{path.name}']").wait_for()
        shown.get_by_role("button", name="Copy").click()
        shown.get_by_text("Copied.").wait_for()
        kinds = shown.evaluate("navigator.clipboard.read().then(([item]) => item.types)")
        colour = shown.evaluate(
            """async () => {
              const [item] = await navigator.clipboard.read();
              const image = await createImageBitmap(await item.getType("image/png"));
              const context = document.createElement("canvas").getContext("2d");
              context.drawImage(image, 0, 0);
              return [image.width, image.height, ...context.getImageData(5, 5, 1, 1).data];
            }"""
        )
        assert kinds == ["image/png"] and colour[:2] == [80, 60]
        assert np.abs(np.array(colour[2:5]) - (5, 135, 225)).max() <= 3


@pytest.mark.thorough
def test_an_image_is_pasted(opened, photo):
    shown = opened()
    shown.evaluate(
        """(bytes) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "pasted.png", { type: "image/png" }));
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
        }""",
        list(photo.read_bytes()),
    )
    shown.locator("a.button[download='pasted_A2B.png']").wait_for()


@pytest.mark.thorough
def test_a_still_of_the_camera_is_translated(opened):
    shown = opened()
    shown.evaluate(CAMERA)
    shown.get_by_role("button", name="Use the camera").click()
    shown.get_by_role("button", name="Take the picture").click()
    shown.locator("a.button[download='camera_A2B.png']").wait_for()
    assert np.abs(seen(shown, 0.75) - (5, 135, 225)).max() <= 6
    assert shown.evaluate("stream.getTracks().every((track) => track.readyState === 'ended')")


@pytest.mark.thorough
def test_a_refused_camera_is_said(opened):
    shown = opened()
    shown.evaluate(REFUSED)
    shown.get_by_role("button", name="Use the camera").click()
    shown.get_by_text("The camera was refused. Allow it in the settings").wait_for()
    assert shown.get_by_role("button", name="Use the camera").is_enabled()


@pytest.mark.thorough
def test_a_camera_that_is_allowed_too_late_does_not_start(opened):
    """It is given after the page has turned to drawing, or to a newer request, which stays."""
    shown = opened()
    shown.evaluate(
        """() => {
          window.answers = [];
          navigator.mediaDevices.getUserMedia = () => new Promise((allow) => answers.push(allow));
          window.streams = [0, 1].map(() => document.createElement("canvas").captureStream(20));
        }"""
    )
    start = shown.get_by_role("button", name="Use the camera")
    start.click()
    shown.get_by_label("Draw", exact=True).check()
    assert start.is_enabled()
    start.click()
    states = "streams.map((stream) => stream.getTracks()[0].readyState)"
    shown.evaluate("answers[0](streams[0])")
    assert shown.evaluate(states) == ["ended", "live"]
    assert shown.locator(".camera").is_hidden() and not start.is_enabled()
    shown.evaluate("answers[1](streams[1])")
    shown.locator(".camera").wait_for()
    assert shown.evaluate(states) == ["ended", "live"]
    shown.get_by_role("button", name="Cancel").click()
    assert shown.evaluate(states) == ["ended", "ended"] and start.is_enabled()


@pytest.mark.thorough
def test_examples_are_translated_by_a_click(opened, starting, stand_in):
    server = starting("-m", "tests.serving", "--port", "0", "--examples", "2")
    shown = opened(server)
    assert shown.get_by_role("button", name="Example").count() == 2
    assert shown.get_by_label("Draw", exact=True).is_checked()  # they are of one colour, as drawings mostly are
    shown.get_by_label("Image", exact=True).check()
    shown.get_by_role("button", name="Example 2").click()
    shown.locator("a.button[download='Example 2_A2B.png']").wait_for()
    assert np.abs(seen(shown, 0.75) - (245, 55, 165)).max() <= 6  # 10, 200, 90 inverted
    shown.get_by_label("B → A").check()
    assert not shown.get_by_role("button", name="Example").count()
    assert not opened().get_by_role("button", name="Example").count()  # not unless they are allowed
    for path in ("0/A/2", "0/B/0", "1/A/0", "0/A/-1", "0/C/0", "0/A/0/other", "0/..%2f..%2fA/0"):
        assert server.client.get(f"/examples/{path}").status_code == 404
    assert stand_in.client.get("/examples/0/A/0").status_code == 404


@pytest.mark.thorough
def test_an_example_that_comes_late_replaces_no_newer_image(opened, starting, photo):
    shown = opened(starting("-m", "tests.serving", "--port", "0", "--examples", "2"))
    shown.get_by_label("Image", exact=True).check()
    held = []
    shown.route("**/examples/0/A/0", lambda route: held.append(route))
    shown.get_by_role("button", name="Example 1").click()
    choose(shown, photo)
    shown.locator("a.button[download='my photo_A2B.png']").wait_for()
    for route in held:
        route.continue_()
    shown.wait_for_timeout(500)
    assert len(held) == 1 and shown.locator("a.button[download='my photo_A2B.png']").is_visible()
    shown.unroute("**/examples/0/A/0")


@pytest.mark.thorough
def test_an_image_that_is_outdated_does_not_wait_for_a_busy_server(opened, photo, tmp_path):
    shown = opened(expected="status of 503")
    asked = []

    def answer(route):
        asked.append(route.request.post_data_buffer)
        if len(asked) == 1:
            return route.fulfill(status=503, json={"error": "busy"})
        return route.continue_()

    shown.route("**/translate*", answer)
    files.write(tmp_path / "other.png", np.full([40, 60, 3], 90, np.uint8))
    choose(shown, photo)
    shown.get_by_text("The server is busy; waiting").wait_for()
    choose(shown, tmp_path / "other.png")
    shown.locator("a.button[download='other_A2B.png']").wait_for()
    shown.wait_for_timeout(1500)
    shown.unroute("**/translate*")
    assert len(asked) == 2 and asked[0] != asked[1]


@pytest.mark.thorough
def test_several_runs_translate_one_image(opened, starting, photo):
    server = starting("-m", "tests.serving", "--port", "0", "--twice", "1")
    content, png = encoded(image()), {"Content-Type": "image/png"}
    answer = server.client.post("/translate?direction=A2B", content=content, headers=png)
    assert (answer.status_code, answer.json()["error"]) == (
        422,
        "Missing or unknown run: use ?run=stand-in or ?run=other.",
    )
    assert [run["name"] for run in server.client.get("/healthz").json()["runs"]] == ["stand-in", "other"]
    shown = opened(server)
    assert shown.title() == "2 runs"
    choose(shown, photo)
    for name, colour in (("stand-in", (5, 135, 225)), ("other", (250, 120, 30))):
        output = shown.get_by_role("article", name=f"Translation by {name}")
        output.locator(f"a.button[download='my photo_A2B_{name}.png']").wait_for()
        shot = np.asarray(PIL.Image.open(io.BytesIO(output.locator(".stage").screenshot())).convert("RGB")).astype(int)
        assert np.abs(shot[shot.shape[0] // 3, int(shot.shape[1] * 0.75)] - colour).max() <= 6
    borders = shown.get_by_label("Border between the two pictures")
    borders.first.fill("90")
    assert borders.last.input_value() == "90"  # they move together


ADDRESSES = """() => {
  const [make, revoke] = [URL.createObjectURL, URL.revokeObjectURL];
  window.addresses = new Set();
  URL.createObjectURL = (file) => {
    const address = make.call(URL, file);
    addresses.add(address);
    return address;
  };
  URL.revokeObjectURL = (address) => {
    addresses.delete(address);
    revoke.call(URL, address);
  };
}"""


@pytest.mark.thorough
def test_a_file_that_browsers_do_not_show_replaces_the_previous_picture(opened, photo, tmp_path):
    shown = opened()
    choose(shown, photo)
    shown.locator("a.button[download='my photo_A2B.png']").wait_for()
    shown.locator(".layer.over img").wait_for()
    files.write(tmp_path / "array.npy", np.zeros([60, 80, 3], np.uint8))
    choose(shown, tmp_path / "array.npy")
    shown.locator("a.button[download='array_A2B.npy']").wait_for()
    shown.get_by_text("This browser does not show images of this kind.").wait_for()
    assert not shown.locator(".layer img").count() and shown.locator(".stage").is_hidden()
    pages = [PIL.Image.fromarray(image(20, 20)) for _ in range(2)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    choose(shown, tmp_path / "pages.tif")
    shown.get_by_text(
        "This browser does not show images of this kind. Download it to see it. The image has "
    ).wait_for()
    assert not shown.locator(".said.wrong").count()
    choose(shown, photo)
    shown.locator("a.button[download='my photo_A2B.png']").wait_for()
    assert np.abs(seen(shown, 0.25) - (250, 120, 30)).max() <= 6


@pytest.mark.thorough
def test_a_newer_checkpoint_translates_by_its_run_alone_and_in_place(opened, starting, photo):
    server = starting(*STAND_IN, "--twice", "1")
    shown = opened(server)
    shown.evaluate(ADDRESSES)
    choose(shown, photo)
    for name in ("stand-in", "other"):
        shown.locator(f"a.button[download='my photo_A2B_{name}.png']").wait_for()
    links = shown.locator("a.button:visible")
    before = links.evaluate_all("(links) => links.map((link) => link.href)")
    assert len(shown.evaluate("[...addresses]")) == 4  # of two originals and two translations
    border = shown.get_by_label("Border between the two pictures").first
    border.fill("90")
    asked = []
    shown.on("request", lambda request: asked.append(request.url) if "/translate" in request.url else None)
    now = [{"name": "stand-in", "step": 1234}, {"name": "other", "step": 2000}]
    shown.route("**/healthz", lambda route: route.fulfill(json={"runs": now}))
    with shown.expect_response("**/translate*"):
        shown.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    end, after = time.monotonic() + 10, before
    while after == before and time.monotonic() < end:
        shown.wait_for_timeout(50)
        after = links.evaluate_all("(links) => links.map((link) => link.href)")
    assert len(asked) == 1 and "run=other" in asked[0]
    assert after[0] == before[0] and after[1] != before[1] and set(after) < set(shown.evaluate("[...addresses]"))
    assert len(shown.evaluate("[...addresses]")) == 4 and border.input_value() == "90"


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_to_all(opened, starting, photo, scheme):
    """As far as axe-core can tell, while drawing and with an image."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    server = starting("-m", "tests.serving", "--port", "0", "--twice", "1", "--examples", "2")
    shown = opened(server, color_scheme=scheme)
    choose(shown, photo)
    shown.get_by_role("link", name="Download").first.wait_for()
    assert axe.run(shown).response["violations"] == []
    shown.get_by_label("Draw", exact=True).check()
    shown.get_by_role("button", name="Clear").click()
    shown.get_by_role("link", name="Download").first.wait_for()
    shown.get_by_text("Keyboard", exact=True).click()
    assert axe.run(shown).response["violations"] == []


@pytest.mark.thorough
def test_everything_is_reached_by_keys(opened, starting):
    """Each control in turn, with a visible focus."""
    shown = opened(starting("-m", "tests.serving", "--port", "0", "--examples", "1"))
    shown.get_by_label("Draw", exact=True).check()
    reached = []
    for _ in range(20):
        shown.keyboard.press("Tab")
        name, outlined = shown.evaluate(
            """() => {
              const at = document.activeElement;
              const near = [at, at.nextElementSibling, at.parentElement].filter(Boolean);
              const isOutlined = (each) => getComputedStyle(each).outlineStyle !== "none";
              return [at.ariaLabel ?? (at.title || at.textContent), near.some(isOutlined)];
            }"""
        )
        if shown.evaluate("document.activeElement === document.body"):
            break
        reached.append(name)
        assert outlined, name
    assert len(reached) >= 9 and any(name.startswith("Canvas") for name in reached)
