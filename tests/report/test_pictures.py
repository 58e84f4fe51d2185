"""Pictures of the page: their sizes, how many fit, and what images of other types look like."""

import base64
import io
import json
import os
import pathlib
import re

import numpy as np
import PIL.Image
import pytest

from common.images import files
from common.report import notebook, page, pictures
from common.report.pictures import Picture, Size, Source
from tests.report.test_report import full, grey, make

__all__ = ["full"]  # a fixture
EXACT = pictures.SIZES[0]
COLOURS = {"values": "03 07", "colours": "ff0000 0000ff"}


def decoded(picture):
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(picture.webp))).convert("RGB"))


@pytest.mark.parametrize(
    ("height", "width", "shown"),
    [
        (256, 256, (256, 256)),
        (255, 3, (255, 3)),
        (257, 257, (256, 256)),
        (512, 100, (256, 50)),
        (100, 512, (50, 256)),
        (1, 1000, (1, 256)),
    ],
)
def test_pictures_that_are_too_large_are_shown_smaller_in_their_shape(tmp_path, height, width, shown):
    files.write(tmp_path / "0.png", np.full([height, width, 3], 77, np.uint8))
    picture = pictures.picture(Source(tmp_path / "0.png"), EXACT)
    assert (picture.height, picture.width) == shown and (decoded(picture) == 77).all()
    assert decoded(picture).shape == (*shown, 3) and pictures.size(tmp_path / "0.png") == (width, height)


def test_small_pictures_are_exact(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, [20, 30, 3], np.uint8)
    files.write(tmp_path / "0.png", image)
    np.testing.assert_array_equal(decoded(pictures.picture(Source(tmp_path / "0.png"), EXACT)), image)
    files.write(tmp_path / "strip.png", np.full([4, 2048, 3], 9, np.uint8))
    assert pictures.strip(tmp_path / "strip.png")[:2] == (1024, 2)


def test_a_picture_that_has_changed_is_read_again(tmp_path):
    path = tmp_path / "0.png"
    files.write(path, grey(10))
    assert (decoded(pictures.picture(Source(path), EXACT)) == 10).all()
    files.write(path, grey(200))
    os.utime(path, (1, 1))
    assert (decoded(pictures.picture(Source(path), EXACT)) == 200).all()


def test_what_is_no_picture_has_none(tmp_path):
    (tmp_path / "0.png").write_bytes(b"broken")
    for path in (tmp_path / "0.png", tmp_path / "missing.png"):
        assert pictures.picture(Source(path), EXACT) is pictures.strip(path) is pictures.size(path) is None


@pytest.mark.parametrize(
    ("values", "dtype", "span", "shown"),
    [
        ([0.0, 0.2, 0.6, 1.0, 7.0, np.nan], np.float32, None, [0, 51, 153, 255, 255, 0]),
        ([0, 257, 25_700, 65_535], np.uint16, None, [0, 1, 100, 255]),
        ([100, 140, 300, 0], np.uint16, (100.0, 300.0), [0, 51, 255, 0]),
        ([5.0, 5.2, 6.0, 4.0], np.float32, (5.0, 5.0), [0, 51, 255, 0]),  # a range without width counts as 1
        ([0, 51, 255], np.uint8, (0.0, 51.0), [0, 255, 255]),
    ],
)
def test_values_of_other_types_are_shown_by_their_range(tmp_path, values, dtype, span, shown):
    path = tmp_path / ("0.png" if dtype == np.uint8 else "0.tif")
    files.write(path, np.array(values, dtype)[None, :, None])
    assert decoded(pictures.picture(Source(path, span), EXACT))[0, :, 1].tolist() == shown


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"dtype": "uint16", "low": 0, "high": 4000}, (0.0, 4000.0)),
        ({"dtype": "uint8", "low": 0.0, "high": 255.0}, None),
        ({"low": 0.0, "high": 100.0}, None),
        ({"dtype": "float32", "low": 0.0}, None),
        ({"dtype": "float32", "low": "0", "high": 1.0}, None),
        ({"dtype": "float32", "low": 0.0, "high": None}, None),
    ],
)
def test_the_range_of_a_domain_is_that_of_its_settings(facts, expected):
    assert pictures.span({"domains": {"A": facts}}, "A") == expected
    assert pictures.span({"domains": {"A": facts}}, "B") is None


@pytest.mark.parametrize(
    ("facts", "is_known"),
    [
        (COLOURS, True),
        ({**COLOURS, "colours": "ff 00"}, False),  # of one channel, which people do not see as a colour
        ({**COLOURS, "colours": "ff0000 0000fg"}, False),
        ({**COLOURS, "values": 3}, False),
        ({"values": "03 07"}, False),
    ],
)
def test_colours_of_classes_are_those_of_the_settings_if_they_are_valid(facts, is_known):
    assert (pictures.classes({"domains": {"B": {"classes": facts}}}, "B") is not None) == is_known


def test_label_maps_have_the_colours_of_their_classes_alone_in_any_size(tmp_path):
    labels = np.random.default_rng(0).choice(np.array([3, 7], np.uint8), [300, 600, 1])
    files.write(tmp_path / "0.png", labels)
    known = pictures.classes({"domains": {"B": {"classes": COLOURS}}}, "B")
    shown = decoded(pictures.picture(Source(tmp_path / "0.png", None, known), EXACT))
    assert shown.shape == (128, 256, 3) and set(map(tuple, shown.reshape(-1, 3))) == {(255, 0, 0), (0, 0, 255)}
    files.write(tmp_path / "0.png", labels[:20, :20])
    exact = decoded(pictures.picture(Source(tmp_path / "0.png", None, known), EXACT))
    np.testing.assert_array_equal(exact, np.where(labels[:20, :20] == 3, (255, 0, 0), (0, 0, 255)))


def test_label_maps_of_other_channels_are_shown_as_they_are(tmp_path):
    files.write(tmp_path / "0.png", grey(3))
    known = pictures.classes({"domains": {"B": {"classes": COLOURS}}}, "B")
    np.testing.assert_array_equal(decoded(pictures.picture(Source(tmp_path / "0.png", None, known), EXACT)), grey(3))


@pytest.fixture
def sized(monkeypatch):
    """A function that fits `count` pictures of 10 characters, of which `unreadable` cannot be read, in budgets."""
    asked = []

    def fit(count, *budgets, unreadable=()):
        def picture(source, size):
            asked.append((int(source.path.name), size.side))
            return None if int(source.path.name) in unreadable else Picture(1, 1, "x" * 10)

        monkeypatch.setattr(pictures, "picture", picture)
        monkeypatch.setattr(pictures, "SIZES", [Size(n, 50, budget) for n, budget in enumerate(budgets)])
        size, shown = pictures.fitting([[Source(pathlib.Path(str(n)))] for n in range(count)])
        return size.side, [int(source.path.name) for source in shown]

    fit.asked = asked
    return fit


@pytest.mark.parametrize(
    ("budgets", "size", "count"),
    [
        ((111,), 0, 10),  # 100 characters and a margin of a tenth
        ((109, 111), 1, 10),
        ((111, 200), 0, 10),
        ((20, 58), 1, 5),
        ((30,), 0, 2),  # 3 with a margin are 33
        ((10,), 0, 1),
        ((9,), 0, 0),
    ],
)
def test_the_first_size_for_which_all_fit_is_taken_and_then_the_most_important(sized, budgets, size, count):
    assert sized(10, *budgets) == (size, list(range(count)))


def test_pictures_that_fill_the_budget_fit(sized, monkeypatch):
    monkeypatch.setattr(pictures, "MARGIN", 1.0)
    assert sized(10, 100, 200) == (0, list(range(10))) and sized(10, 99, 200) == (1, list(range(10)))


def test_pictures_that_cannot_be_read_take_no_room(sized):
    assert sized(4, 34, unreadable=(1,)) == (0, [0, 2, 3])
    assert sized(0, 34) == (0, [])


def test_the_size_is_estimated_from_few_pictures_of_all_places(sized):
    """Of the numbers from 0 to 230, every tenth."""
    sized(231, 1, 1, 1)
    for side in range(2):
        assert sorted(number for number, at in sized.asked if at == side) == list(range(0, 231, 10))


def test_pictures_that_do_not_fit_are_not_compressed(sized):
    """24 for the estimate, and 5 of 100 whose 1,100 characters have 58."""
    assert sized(100, 58) == (0, [0, 1, 2, 3, 4]) and len(sized.asked) == 24 + 5


# What is around the data


def test_a_summary_for_notebooks_is_a_table(tmp_path):
    run = make(tmp_path / "fruit", log=["step", "1200"])
    values = {"images": 2, "l1": 0.25, "input_l1": 0.5, "psnr": 20.512, "ssim": 0.5, "swd": 4, "correlation": 0.5}
    (run / "test" / "metrics.json").write_text(json.dumps({"A2B": values, "B2A": {"fid": 12}}))
    text = notebook.summary(run, [("more", "a < b")])
    row = (
        '<tr><th style="opacity: 0.7; padding: 0 16px 0 0; text-align: left; font-weight: normal">{}</th>'
        '<td style="text-align: left">{}</td></tr>'
    )
    rows = [
        *(("run", "fruit"), ("steps", "1,200"), ("training", "0 s"), ("more", "a &lt; b")),
        *(("A2B mean absolute difference", "0.25, input 0.5"), ("A2B peak signal-to-noise ratio (PSNR)", "20.51 dB")),
        *(("A2B structural similarity (SSIM)", "0.5"), ("A2B sliced Wasserstein distance (SWD)", "4")),
        ("B2A Fréchet Inception distance (FID)", "12"),
    ]
    table = "".join(row.format(*each) for each in rows)
    assert text == f"<div><strong>CycleGAN on fruit</strong><table>{table}</table></div>"


def test_a_summary_for_notebooks_ends_with_the_newest_strip_that_can_be_read(full):
    (full / "samples" / "00000300.png").write_bytes(b"broken")
    webp = pictures.strip(full / "samples" / "00000200.png").webp
    image = f'<img src="data:image/webp;base64,{webp}" alt="Samples of step 200" style="max-width: min(100%, 40px)">'
    assert notebook.summary(full).endswith(f"</table>{image}</div>")


def test_a_page_in_a_notebook_is_a_frame_that_reaches_nothing():
    assert notebook.Shown('<a href="x">', 321)._repr_html_() == (
        '<iframe srcdoc="&lt;a href=&quot;x&quot;&gt;" sandbox="allow-scripts" title="report"'
        ' style="width: 100%; height: 321px; border: 0"></iframe>'
    )


def test_data_cannot_end_its_script_element():
    assert page.block({"a": "</script>&é", "b": [1, None]}) == (
        '{"a":"\\u003c/script\\u003e\\u0026\\u00e9","b":[1,null]}'
    )
    with pytest.raises(ValueError, match="JSON compliant"):
        page.block({"a": float("nan")})


@pytest.mark.parametrize("more", ["", "document.title = 'x';"])
def test_the_policy_of_a_page_names_what_it_may_do(more):
    written = page.page({"title": "a < \udce9", "name": "b"}, more)
    hash_ = "'sha256-[A-Za-z0-9+/]{43}='"
    asks = " connect-src 'self';" if more else ""
    expected = rf"default-src 'none'; img-src data:; style-src {hash_}; script-src {hash_} {hash_};{asks}"
    assert re.fullmatch(f"{expected} base-uri 'none'; form-action 'none'", written.policy)
    assert "<title>a &lt; ? · b</title>" in written.html and written.html.count(written.policy) == 1
    assert more in written.html
