"""The README.md of an export: its contents, its differences from the run, and ten lines of code that use it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from common.dual import Dual
from common.export import arrays, frozen_graph, label_code, onnx_graph, savedmodel, tflite
from common.export.comparison import Difference
from common.export.model import Model
from common.export.ported import FULL, Format
from common.export.signatures import BYTES, FLOAT, IMAGE, PIXELS, TRANSLATED
from common.images.pixels import Domain

SAVEDMODEL = """\
import numpy as np
import tensorflow as tf
{imports}
model = tf.saved_model.load(".")  # the folder of this file
{read}
translated = model.signatures["{name}"](image=tf.constant(image))["translated"].numpy()
{write}
"""
FROZEN = """\
import numpy as np
import tensorflow as tf
{imports}
definition = tf.compat.v1.GraphDef.FromString(open("model.pb", "rb").read())
with tf.Graph().as_default() as graph:
    tf.import_graph_def(definition, name="")
{read}
with tf.compat.v1.Session(graph=graph) as session:
    translated = session.run("{name}/translated:0", {{"{name}/image:0": image}})
{write}
"""
TFLITE = """\
import numpy as np
import tensorflow as tf  # or, without the rest of it, Interpreter of ai_edge_litert.interpreter
{imports}
model = tf.lite.Interpreter("{name}.tflite")
(taken,), (given,) = model.get_input_details(), model.get_output_details()
{read}
model.resize_tensor_input(taken["index"], image.shape)
model.allocate_tensors()
model.set_tensor(taken["index"], image)
model.invoke()
translated = model.get_tensor(given["index"])
{write}
"""
ONNX = """\
import numpy as np
import onnxruntime
{imports}
model = onnxruntime.InferenceSession("{name}.onnx")
{read}
(translated,) = model.run(["translated"], {{"image": image}})
{write}
"""
NPZ = """\
import json
import numpy as np

weights = dict(np.load("weights.npz"))
settings = json.loads(weights.pop("config").tobytes())
print(settings["dual"]["class"])
for name, weight in weights.items():
    print(name, weight.shape)
"""
LINES: dict[Format, str] = {savedmodel: SAVEDMODEL, frozen_graph: FROZEN, tflite: TFLITE, onnx_graph: ONNX, arrays: NPZ}
NEEDED: dict[Format, str] = {
    savedmodel: "tensorflow",
    frozen_graph: "tensorflow",
    tflite: "tensorflow",
    onnx_graph: "onnxruntime",
    arrays: "numpy",
}
MODES = {1: "L", 3: "RGB"}  # of Pillow, by number of channels
FILTERS = {"bilinear": "BILINEAR", "bicubic": "BICUBIC", "area": "BOX", "nearest": "NEAREST"}  # by --interpolation


def text(model: Model, written_as: Format, differences: Sequence[Difference]) -> str:
    """Returns the README of a Model in a format, with its `differences` from the run."""
    notes = "".join(f"- {note}\n" for note in _notes(model, written_as, differences))
    code = example(model, written_as)
    pillow = " pillow" if "from PIL" in code else ""
    return f"""\
# {type(model.dual).__name__}, {" and ".join(model.directions)}, at step {model.step:,}

In this folder, after `pip install {NEEDED[written_as]}{pillow}`:

```python
{code}```

{"" if written_as is arrays else _table(model, differences)}{notes}"""


def _table(model: Model, differences: Sequence[Difference]) -> str:
    rows = "".join(f"{_row(model, difference)}\n" for difference in differences)
    head = "| file | signature | input; output | largest difference from the run |\n|---|---|---|---|\n"
    return f"{head}{rows}\n"


def _row(model: Model, difference: Difference) -> str:
    file, name = difference.ported.file, difference.ported.name
    return f"| `{file}` | `{name}` | {_ends(difference, model)} | {_amount(difference)} |"


def example(model: Model, written_as: Format) -> str:
    """Returns lines of Python that translate an image, to run in the folder of the export."""
    first = model.signatures[0]
    source, target = model.ends(first.direction)
    eight_bits = first.kind == PIXELS and source.dtype == target.dtype == "uint8"
    pictures = eight_bits and {source.channels, target.channels} <= {*MODES}
    imports = "from PIL import Image\n" if pictures else ""
    if pictures:
        read, write = _pictures(source, target, model.dual)
    elif first.kind == PIXELS:
        read, write = _arrays(source, target)
    else:
        read, write = scaled(source, target)
    return LINES[written_as].format(name=first.name, imports=imports, read=read, write=write)


def _pictures(source: Domain, target: Domain, dual: Dual) -> tuple[str, str]:
    """Returns (lines that read an image of the source Domain, a line that writes one of the target).

    They resize to the size of training and back where networks saw only that, with Pillow's form of the run's filter.
    """
    dropped = "[..., None]" if source.channels == 1 else ""
    last = ", ..., 0" if target.channels == 1 else ""
    resized = resized_back = ""
    if not dual.any_size:
        there, back = (
            f"Image.Resampling.{'NEAREST' if domain.classes else FILTERS[dual.interpolation]}"
            for domain in (source, target)
        )
        height, width = dual.image_sides
        resized = f".resize(({width}, {height}), {there})"
        resized_back = f".resize(photo.size, {back})"
    read = f'photo = Image.open("photo.png").convert("{MODES[source.channels]}")\n'
    read += f"image = np.asarray(photo{resized}){dropped}[None]  # [N, H, W, C]"
    return read, f'Image.fromarray(translated[0{last}]){resized_back}.save("translated.png")'


def _arrays(source: Domain, target: Domain) -> tuple[str, str]:
    """Returns the same for arrays that Pillow does not support."""
    del target
    read = f'image = np.load("photo.npy")[None]  # [N, H, W, {source.channels}] of {source.dtype}'
    return read, 'np.save("translated.npy", translated[0])'


def scaled(source: Domain, target: Domain) -> tuple[str, str]:
    """Returns the same as _arrays, with values scaled to [-1, 1] before and back after."""
    read = f'image = np.load("photo.npy")[None]  # [N, H, W, {source.channels}] of {source.dtype}\n'
    if source.classes:
        read = (
            f'image = np.load("photo.npy")[None]  # [N, H, W, {source.channels}]\n{label_code.encoded(source.classes)}'
        )
    else:
        read += f'image = ((image - {source.low!r}) / {source.span / 2!r} - 1.0).astype("float32")'
    if target.classes:
        return read, f'{label_code.decoded(target.classes)}\nnp.save("translated.npy", pixels)'
    back = f"(translated[0] + 1.0) * {target.span / 2!r} + {target.low!r}"
    whole = f"np.rint({back})" if np.dtype(target.dtype).kind != "f" else back
    return read, f'np.save("translated.npy", ({whole}).astype("{target.dtype}"))'


def _ends(difference: Difference, model: Model) -> str:
    """Returns input and output of a signature, in words."""
    kind = difference.ported.kind
    if kind == BYTES:
        return f"`{IMAGE}`: JPEG, PNG, BMP or GIF files, [N], of any sizes; `{TRANSLATED}_bytes`: PNG files"
    source, target = model.ends(difference.ported.direction)
    if kind == FLOAT:
        return f"float32 [N, H, W, {source.inner_channels}] in [-1, 1]; [N, H, W, {target.inner_channels}] in [-1, 1]"
    return f"{source.dtype} [N, H, W, {source.channels}]; {target.dtype} [N, H, W, {target.channels}]"


def _amount(difference: Difference) -> str:
    stored = "" if difference.ported.weights == FULL else f", weights {difference.ported.weights}"
    return f"{difference.largest:.3g} {difference.unit}, mean {difference.mean:.2g}{stored}"


def domain_notes(model: Model) -> Iterator[str]:
    """Yields a note on the images of each domain of a Model."""
    for name in sorted({end for direction in model.directions for end in (direction[0], direction[-1])}):
        domain = model.domains[name]
        if domain.classes:
            yield label_code.note(name, domain.classes)
            continue
        yield f"Images of {name} have {domain.channels} channels of {domain.describe()}, scaled to -1 to 1."


def _notes(model: Model, written_as: Format, differences: Sequence[Difference]) -> Iterator[str]:
    """Yields notes on usage."""
    if written_as is not arrays:
        yield (
            "N, H and W are arbitrary. Scaling to [-1, 1], reflection padding where the networks need it, cropping and"
            " rounding are included."
        )
    yield from domain_notes(model)
    if all(difference.ported.kind == FLOAT for difference in differences):
        yield (
            "This format cannot take pixels of these types: scale them to [-1, 1] before, and back after, as above."
            " `--format savedmodel` and `frozen` take them directly."
        )
    if any(difference.ported.kind == BYTES for difference in differences):
        yield ("Files are decoded by TensorFlow. Transparent pixels become white; the EXIF orientation is ignored.")
    if written_as is arrays:
        yield (
            "It contains only weights and settings. To create a run from it, use `python -m MODEL.main --phase"
            " import_weights --source weights.npz --run_dir NEW`."
        )
        floats = [difference for difference in differences if difference.ported.kind == FLOAT]
        farthest = max(floats, key=lambda difference: difference.largest)
        yield f"Largest difference of networks with these weights from the run, in [-1, 1]: {_amount(farthest)}."
    noise = "on, the same for each call" if model.dual.noisy else "off"
    yield f"Dropout is {noise}."
    if not model.dual.any_size:
        height, width = model.dual.image_sides
        resizes = ".resize(" in example(model, written_as)
        cure = (
            "the code above resizes images to that, and back"
            if resizes
            else "resize images to that before, and back after"
        )
        yield f"Networks only saw {height} x {width} pixels: {cure}."
        if resizes and not model.dual.antialias:
            yield "Pillow smooths images that it shrinks, and the run does not, so larger images give other results."
