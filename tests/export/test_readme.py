"""The README.md of an export, whole, and its lines that read and write images, run on images."""

import dataclasses
import types

import numpy as np
import PIL.Image
import pytest

from common.export import arrays, frozen_graph, label_code, onnx_graph, readme, savedmodel, tflite, web_page, web_readme
from common.export.comparison import Difference
from common.export.model import Model
from common.export.ported import Ported
from common.export.signatures import Signature
from common.images.classes import ONE_HOT, Classes
from common.images.pixels import EIGHT_BITS, Domain
from tests import small

COLOURS = np.uint8([[0, 0, 0], [0, 0, 255], [255, 0, 0]])
GRAY = Domain(1)
DEEP, BANDS = Domain(1, "uint16", 500.0, 3000.0), Domain(5, "float32", -1.0, 7.0)
FIXED = small.dualgan(image_size="32x64", interpolation="bicubic", antialias=True, test_dropout=False)


def labelled(encoding="palette", values=COLOURS):
    return dataclasses.replace(Domain(values.shape[1]), classes=Classes.of(values, COLOURS, encoding))


def model_of(A=EIGHT_BITS, B=EIGHT_BITS, dual=FIXED, directions=("A2B",), kinds=("pixels", "float")):
    signatures = [Signature(direction, kind, None, None) for direction in directions for kind in kinds]
    return Model(dual, {"A": A, "B": B}, directions, None, signatures, [], "{}", 1234)


def difference(kind="pixels", unit="grey levels", largest=1.0, mean=0.25, weights="float32", file="model.pb"):
    name = "A2B" + {"pixels": "", "float": "_float", "bytes": "_bytes"}[kind]
    return Difference(Ported(file, name, "A2B", kind, weights, None), 5, largest, mean, 1.0, unit)


def notes_of(text):
    return [line.removeprefix("- ") for line in text.splitlines() if line.startswith("- ")]


FROZEN = """\
# DualGAN, A2B and B2A, at step 1,234

In this folder, after `pip install tensorflow pillow`:

```python
import numpy as np
import tensorflow as tf
from PIL import Image

definition = tf.compat.v1.GraphDef.FromString(open("model.pb", "rb").read())
with tf.Graph().as_default() as graph:
    tf.import_graph_def(definition, name="")
photo = Image.open("photo.png").convert("RGB")
image = np.asarray(photo.resize((64, 32), Image.Resampling.BICUBIC))[None]  # [N, H, W, C]
with tf.compat.v1.Session(graph=graph) as session:
    translated = session.run("A2B/translated:0", {"A2B/image:0": image})
Image.fromarray(translated[0]).resize(photo.size, Image.Resampling.BICUBIC).save("translated.png")
```

| file | signature | input; output | largest difference from the run |
|---|---|---|---|
| `model.pb` | `A2B` | uint8 [N, H, W, 3]; uint8 [N, H, W, 3] | 1 grey levels, mean 0.25 |
| `model.pb` | `A2B_float` | float32 [N, H, W, 3] in [-1, 1]; [N, H, W, 3] in [-1, 1] | 1.23e-05 of [-1, 1], mean 1.2e-06 |
| `model.pb` | `A2B_bytes` | `image`: JPEG, PNG, BMP or GIF files, [N], of any sizes; `translated_bytes`: PNG files | 0 grey levels, mean 0 |

- N, H and W are arbitrary. Scaling to [-1, 1], reflection padding where the networks need it, cropping and rounding are included.
- Images of A have 3 channels of uint8 from 0 to 255, scaled to -1 to 1.
- Images of B have 3 channels of uint8 from 0 to 255, scaled to -1 to 1.
- Files are decoded by TensorFlow. Transparent pixels become white; the EXIF orientation is ignored.
- Dropout is off.
- Networks only saw 32 x 64 pixels: the code above resizes images to that, and back.
"""  # noqa: E501
NPZ = """\
# Pointwise, B2A, at step 1,234

In this folder, after `pip install numpy`:

```python
import json
import numpy as np

weights = dict(np.load("weights.npz"))
settings = json.loads(weights.pop("config").tobytes())
print(settings["dual"]["class"])
for name, weight in weights.items():
    print(name, weight.shape)
```

- Images of A have 1 channels of uint16 from 500 to 3,000, scaled to -1 to 1.
- Images of B have 5 channels of float32 from -1 to 7, scaled to -1 to 1.
- It contains only weights and settings. To create a run from it, use `python -m MODEL.main --phase import_weights --source weights.npz --run_dir NEW`.
- Largest difference of networks with these weights from the run, in [-1, 1]: 0.5 of [-1, 1], mean 0.12.
- Dropout is off.
"""  # noqa: E501


def test_the_readme_of_a_graph():
    differences = [
        difference(),
        difference("float", "of [-1, 1]", 1.234e-5, 1.234e-6),
        difference("bytes", largest=0.0, mean=0.0),
    ]
    model = model_of(directions=("A2B", "B2A"), kinds=("pixels", "float", "bytes"))
    assert readme.text(model, frozen_graph, differences) == FROZEN


def test_the_readme_of_arrays():
    differences = [
        *(difference(), difference("float", "of [-1, 1]", 0.25, 0.2)),
        difference("float", "of [-1, 1]", 0.5, 0.125),
    ]
    model = model_of(DEEP, BANDS, small.Pointwise(), ("B2A",))
    assert readme.text(model, arrays, differences) == NPZ


@pytest.mark.parametrize(
    ("written_as", "needed", "opened"),
    [
        (savedmodel, "tensorflow pillow", 'model = tf.saved_model.load(".")'),
        (frozen_graph, "tensorflow pillow", 'FromString(open("model.pb", "rb").read())'),
        (tflite, "tensorflow pillow", 'model = tf.lite.Interpreter("A2B.tflite")'),
        (onnx_graph, "onnxruntime pillow", 'model = onnxruntime.InferenceSession("A2B.onnx")'),
    ],
)
def test_each_format_is_opened_by_what_is_to_be_installed(written_as, needed, opened):
    text = readme.text(model_of(), written_as, [difference()])
    assert f"after `pip install {needed}`:" in text and opened in text
    deep = readme.text(model_of(DEEP, BANDS), written_as, [difference()])
    assert f"after `pip install {needed.removesuffix(' pillow')}`:" in deep and "PIL" not in deep


def test_weights_of_few_bits_are_named_and_formats_without_pixels_say_so():
    short = difference("float", "of [-1, 1]", 0.01, 0.001, "float16", "A2B_fp16.tflite")
    model = model_of(DEEP, BANDS, kinds=("float",))
    text = readme.text(model, tflite, [short])
    ends = "float32 [N, H, W, 1] in [-1, 1]; [N, H, W, 5] in [-1, 1]"
    assert f"| `A2B_fp16.tflite` | `A2B_float` | {ends} | 0.01 of [-1, 1], mean 0.001, weights float16 |" in text
    none = (
        "This format cannot take pixels of these types: scale them to [-1, 1] before, and back after, as above."
        " `--format savedmodel` and `frozen` take them directly."
    )
    assert none in notes_of(text) and none not in notes_of(readme.text(model, tflite, [short, difference()]))
    assert notes_of(text)[-1] == "Networks only saw 32 x 64 pixels: resize images to that before, and back after."


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_noise_is_said(dropout):
    dual = dataclasses.replace(FIXED, dropout=dropout, test_dropout=True)
    notes = notes_of(readme.text(model_of(dual=dual), frozen_graph, [difference()]))
    assert f"Dropout is {'on, the same for each call' if dropout else 'off'}." in notes


def test_what_the_filter_of_pillow_does_otherwise_is_said():
    smooths = "Pillow smooths images that it shrinks, and the run does not, so larger images give other results."
    rough = dataclasses.replace(FIXED, antialias=False)
    for domain, dual, is_said in [(EIGHT_BITS, rough, True), (EIGHT_BITS, FIXED, False), (DEEP, rough, False)]:
        notes = notes_of(readme.text(model_of(domain, domain, dual), frozen_graph, [difference()]))
        assert (smooths in notes) == is_said


PHOTO = np.random.default_rng(0).integers(0, 256, [5, 7, 3], np.uint8)


def run_lines(read, write, translate):
    """Runs the lines that read, a translation, and those that write; returns the image that was read."""
    names = {"np": np, "Image": PIL.Image}
    exec(read, names)
    names["translated"] = translate(names["image"])
    exec(write, names)
    return names["image"]


@pytest.mark.parametrize("target", [GRAY, EIGHT_BITS], ids=["to gray", "to RGB"])
@pytest.mark.parametrize("source", [GRAY, EIGHT_BITS], ids=["gray", "RGB"])
def test_pictures_of_one_channel_or_three_are_read_and_written(tmp_path, monkeypatch, source, target):
    monkeypatch.chdir(tmp_path)
    stored = PHOTO[..., 0] if source is GRAY else PHOTO
    PIL.Image.fromarray(stored).save("photo.png")
    given = np.stack([PHOTO[::-1, ::-1, : target.channels]])
    code = readme.example(model_of(source, target, small.Pointwise()), onnx_graph)
    assert "resize" not in code and "Image.open" in code
    read, write = readme._pictures(source, target, small.Pointwise())
    image = run_lines(read, write, lambda _: given)
    np.testing.assert_array_equal(image, PHOTO[None, ..., : source.channels])
    written = np.asarray(PIL.Image.open("translated.png"))
    np.testing.assert_array_equal(written, given[0, ..., 0] if target is GRAY else given[0])
    read, write = readme._pictures(source, target, FIXED)
    image = run_lines(read, write, lambda image: np.zeros([1, 32, 64, target.channels], np.uint8))
    assert image.shape == (1, 32, 64, source.channels) and PIL.Image.open("translated.png").size == (7, 5)


def test_label_maps_are_resized_without_mixing_their_colours():
    read, write = readme._pictures(labelled(), EIGHT_BITS, FIXED)
    assert "Resampling.NEAREST" in read and "Resampling.BICUBIC" in write
    read, write = readme._pictures(EIGHT_BITS, labelled(), FIXED)
    assert "Resampling.BICUBIC" in read and "Resampling.NEAREST" in write


@pytest.mark.parametrize(
    ("domain", "values", "scaled"),
    [
        (DEEP, np.uint16([[[500], [1750]], [[3000], [501]]]), [-1.0, 0.0, 1.0, 1 / 1250 - 1]),
        (Domain(1, "float32", -1.0, 7.0), np.float32([[[-1], [3]], [[7], [0.5]]]), [-1.0, 0.0, 1.0, 1.5 / 4 - 1]),
    ],
    ids=["uint16", "float32"],
)
def test_values_are_scaled_before_and_back_after(tmp_path, monkeypatch, domain, values, scaled):
    monkeypatch.chdir(tmp_path)
    np.save("photo.npy", values)
    image = run_lines(*readme.scaled(domain, domain), lambda image: image + np.float32(1e-5))
    np.testing.assert_allclose(image.ravel(), scaled, atol=1e-6)
    assert image.shape == (1, 2, 2, 1) and image.dtype == np.float32
    translated = np.load("translated.npy")
    assert translated.dtype == domain.dtype
    np.testing.assert_allclose(translated, values, atol=0 if domain is DEEP else 1e-4)  # whole numbers are rounded


@pytest.mark.parametrize("encoding", ["palette", ONE_HOT])
def test_label_maps_are_encoded_and_decoded(tmp_path, monkeypatch, encoding):
    monkeypatch.chdir(tmp_path)
    domain = labelled(encoding, np.uint8([[7], [90], [200]]))
    np.save("photo.npy", np.uint8([[[7], [95], [200]]]))
    image = run_lines(*readme.scaled(domain, domain), lambda image: image[:, :, ::-1] * np.float32(0.9))
    codes = COLOURS / 127.5 - 1 if encoding == "palette" else 2.0 * np.eye(3) - 1
    np.testing.assert_allclose(image, codes[None, None], atol=1e-6)
    np.testing.assert_array_equal(np.load("translated.npy"), [[[200], [90], [7]]])
    (first, second) = notes_of(readme.text(model_of(domain, GRAY), frozen_graph, [difference()]))[1:3]
    assert first == label_code.note("A", domain.classes) and second.startswith("Images of B have 1 channels of uint8")


@pytest.mark.parametrize(
    ("encoding", "codes"),
    {
        "palette": "the colour of its class, three channels scaled to -1 to 1",
        ONE_HOT: "one-hot, 3 channels: 1 in that of its class and -1 in the others",
    }.items(),
)
def test_a_note_says_what_networks_see_of_label_maps(encoding, codes):
    assert label_code.note("B", labelled(encoding).classes) == (
        "Images of B are label maps of 3 classes (0: 0 0 0, 1: 0 0 255, 2: 255 0 0). Pixels of any other value are"
        f" taken for the nearest class. Networks see each pixel as {codes}. Outputs have only these values. Do not"
        " resize label maps with a filter that mixes colours: use nearest neighbour."
    )


WEB = f"""\
# DualGAN, A2B and B2A, at step 1,234, in the browser

`index.html` translates images and drawings in the visitor's browser. It needs a web server, but nothing runs on it:
copy this folder to any static host. To try it on this computer:

```
python -m http.server --directory .
```

and open http://localhost:8000. Opened as a file, the page only says that it needs a server, as browsers do not let
files load networks.

| part | bytes |
|---|---|
| page | 12,345 |
| A2B.onnx | 7 |

`runtime/` has onnxruntime-web 1.2.3, under the licence there.

If the server can send headers, send this one with all files. The page itself has the same policy, but browsers do not
apply it to `worker.js`:

```
Content-Security-Policy: {web_page.POLICY}; frame-ancestors 'none'
```

- Verified with onnxruntime in Python: A2B.onnx A2B: largest difference 1, mean 0.25 grey levels over 5 images; allowed: largest 1.
- Weights are stored in 16 bits, and computed with in 32, by one thread of the CPU.
- Images of more than 1,048,576 pixels are scaled down before translation.
- Networks only saw 32 x 64 pixels: the page scales images to that, and back, with the filter of the browser, which is not that of the run.
- Images of A have 3 channels of uint8 from 0 to 255, scaled to -1 to 1.
- Images of B have 1 channels of uint8 from 0 to 255, scaled to -1 to 1.
- Everyone who can open the page can also download the network. Ask the owner of the training images whether you may publish it.
"""  # noqa: E501


@pytest.mark.parametrize("has_gpu", [False, True])
def test_the_readme_of_a_page(has_gpu):
    written_as = types.SimpleNamespace(runtime=types.SimpleNamespace(version="1.2.3", has_gpu=has_gpu))
    differences, sizes = [difference(weights="float16", file="A2B.onnx")], {"page": 12345, "A2B.onnx": 7}
    model = model_of(EIGHT_BITS, GRAY, directions=("A2B", "B2A"), kinds=("pixels",))
    gpu = "by one thread of the CPU, or by the GPU in browsers with WebGPU."
    expected = WEB.replace("by one thread of the CPU.", gpu) if has_gpu else WEB
    assert web_readme.text(model, written_as, differences, sizes) == expected
    any_size = model._replace(dual=small.Pointwise())
    assert not [note for note in notes_of(web_readme.text(any_size, written_as, [], {})) if "Networks only" in note]
