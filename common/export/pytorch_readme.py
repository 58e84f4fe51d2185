"""The README.md of state_dicts for PyTorch: lines that load one into the published network, and their conditions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from common.dual import CyclicDual, PublishedNetworks
from common.export import label_code, readme
from common.export.model import Model
from common.export.state_dicts import SAFETENSORS, ReadBack, StateDicts
from common.images.pixels import Domain
from common.weights import to_pytorch
from common.weights.pytorch import DROPOUT

SOURCE = "github.com/junyanz/pytorch-CycleGAN-and-pix2pix"
SOURCE_OF_BLURRED = "github.com/taesungp/contrastive-unpaired-translation"
CODE = """\
import numpy as np
import torch
from torch import nn
{imports}from models.networks import {network}

network = {network}({arguments})
network.load_state_dict({loaded})
{mode}
{read}
with torch.no_grad():
    output = network(torch.from_numpy(image).permute(0, 3, 1, 2))
translated = output.permute(0, 2, 3, 1).numpy()
{write}
"""
OF_EACH_IMAGE = """\
network.train()  # so that batch norms use the statistics of the image
for layer in network.modules():
    if isinstance(layer, nn.Dropout):
        layer.eval()"""
NORM_LAYERS = {  # by --norm: class of PyTorch, arguments
    "instance": ("nn.InstanceNorm2d", ""),
    "instance_affine": ("nn.InstanceNorm2d", "affine=True"),
    "batch": ("nn.BatchNorm2d", ""),
    "bare": ("nn.Identity", ""),
}
EPSILON = 1e-5  # of PyTorch's norms


def text(model: Model, written_as: StateDicts, read_back: Sequence[ReadBack]) -> str:
    """Returns the README of state_dicts."""
    notes = "".join(f"- {note}\n" for note in _notes(model, written_as, read_back))
    code = example(model, written_as)
    needed = "torch safetensors" if written_as is SAFETENSORS else "torch"
    needed += " pillow" if "from PIL" in code else " numpy"
    source = SOURCE_OF_BLURRED if to_pytorch.is_blurred(to_pytorch.published(model.dual)) else SOURCE
    return f"""\
# {type(model.dual).__name__}, {" and ".join(model.directions)}, at step {model.step:,}

In a clone of {source} with the files of this folder, after `pip install {needed}`:

```python
{code}```

{notes}"""


def example(model: Model, written_as: StateDicts) -> str:
    """Returns lines of Python that load the first file into the published network and translate an image."""
    dual, direction = to_pytorch.published(model.dual), model.directions[0]
    source, target = model.ends(direction)
    network, arguments = _network(dual, source, target)
    file = written_as.file(model, direction)
    pictures = all(end.dtype == "uint8" and end.channels in readme.MODES for end in (source, target))
    read, write = _pictures(source, target) if pictures else readme.scaled(source, target)
    needed = {"import functools": "functools." in arguments, "from PIL import Image": pictures}
    needed["from safetensors.torch import load_file"] = written_as is SAFETENSORS
    loaded = f'load_file("{file}")' if written_as is SAFETENSORS else f'torch.load("{file}", weights_only=True)'
    mode = "network.eval()" if _is_evaluated(dual) else OF_EACH_IMAGE
    lines = {"network": network, "arguments": arguments, "loaded": loaded, "mode": mode, "read": read, "write": write}
    return CODE.format(imports="".join(f"{line}\n" for line in needed if needed[line]), **lines)


def _network(dual: PublishedNetworks, source: Domain, target: Domain) -> tuple[str, str]:
    """Returns (the class of a published generator, the arguments that it is built with)."""
    depths, blocks = to_pytorch.DEPTHS, to_pytorch.BLOCKS
    ends, last = f"{source.inner_channels}, {target.inner_channels}", f"use_dropout={to_pytorch.has_dropout(dual)}"
    if dual.netG in depths:
        return "UnetGenerator", f"{ends}, {depths[dual.netG]}, {dual.ngf}, {_norm_layer(dual)}, {last}"
    return "ResnetGenerator", f"{ends}, {dual.ngf}, {_norm_layer(dual)}, {last}, n_blocks={blocks[dual.netG]}"


def _norm_layer(dual: PublishedNetworks) -> str:
    """Returns the class of a norm, with its arguments."""
    name, given = NORM_LAYERS[dual.norm]
    if dual.norm != "bare" and dual.norm_epsilon != EPSILON:
        given = ", ".join([*filter(None, [given]), f"eps={dual.norm_epsilon!r}"])
    return f"functools.partial({name}, {given})" if given else name


def _is_evaluated(dual: PublishedNetworks) -> bool:
    """Whether PyTorch's eval() gives the outputs of the run: batch norms then use their running statistics."""
    return dual.norm != "batch" or dual.running_statistics


def _pictures(source: Domain, target: Domain) -> tuple[str, str]:
    """Returns (lines that read an image as [N, H, W, C] in [-1, 1], a line that writes the translation)."""
    added, last = (", ..., None" if source.channels == 1 else ""), (", ..., 0" if target.channels == 1 else "")
    read = f'photo = Image.open("photo.png").convert("{readme.MODES[source.channels]}")\n'
    if source.classes:
        read += f"image = np.asarray(photo)[None{added}]  # [N, H, W, C]\n{label_code.encoded(source.classes)}"
    else:
        read += f"image = np.asarray(photo, np.float32)[None{added}] / 127.5 - 1.0  # [N, H, W, C]"
    if target.classes:
        shown = "pixels[..., 0]" if target.channels == 1 else "pixels"
        return read, f'{label_code.decoded(target.classes)}\nImage.fromarray({shown}).save("translated.png")'
    pixels = f"np.rint((translated[0{last}] + 1.0) * 127.5).astype(np.uint8)"
    return read, f'Image.fromarray({pixels}).save("translated.png")'


def _notes(model: Model, written_as: StateDicts, read_back: Sequence[ReadBack]) -> Iterator[str]:
    """Yields notes on files, conditions and verification."""
    dual = to_pytorch.published(model.dual)
    yield "Files: " + ", ".join(f"`{result.file}` translates {result.direction}" for result in read_back) + "."
    yield from readme.domain_notes(model)
    yield f"H and W must be multiples of {dual.multiple}: the published networks do not pad."
    if dual.norm == "batch" and not dual.running_statistics:
        yield (
            "Batch norms use the statistics of the image, so translate images one at a time. This run has no running"
            " statistics: the files have those that PyTorch starts with, which `eval()` and `test.py --eval` must not"
            " use."
        )
    if to_pytorch.has_dropout(dual):
        yield f"Dropout is off in the code above. The published networks have a rate of {DROPOUT}."
    yield (
        "All weights were read back and equal those of the run bit for bit. Outputs were not compared, which needs"
        " PyTorch; they are equal except for rounding if the network is built and called as above."
    )
    sources = ",".join(result.file for result in read_back)
    yield (
        f"To create a run from the files, use `python -m MODEL.main --phase import_weights --source {sources}"
        f"{_import_flags(dual)} --run_dir NEW`."
    )


def _import_flags(dual: PublishedNetworks) -> str:
    """Returns the flags for what the files do not show, each after a space."""
    flags = [f"--{name} {getattr(dual, name)}" for name in ("image_size", "load_size", "dropout", "norm_epsilon")]
    flags += ["--running_statistics"] * dual.running_statistics
    if not isinstance(dual, CyclicDual):
        flags.append(f"--{dual.direction_setting} {dual.directions[0]}")
    return "".join(f" {flag}" for flag in flags)
