"""Weights as PyTorch's CycleGAN and pix2pix save them, as arrays by name, without PyTorch: drawn, of any width."""

import numpy as np

from tests.torch_files import program, write_zip


def resnet(inputs, outputs, filters, seed=0, blocks=6, wide=7):
    """{name: array} of a ResNet with instance norm, as its layers are listed in what was published."""
    widths = [filters, 2 * filters, 4 * filters]
    found = {"model.1": (filters, inputs, wide, wide)}
    found |= {f"model.{number}": (width, width // 2, 3, 3) for number, width in ((4, widths[1]), (7, widths[2]))}
    for block in range(blocks):
        found |= {f"model.{10 + block}.conv_block.{number}": (widths[2], widths[2], 3, 3) for number in (1, 5)}
    ups = ((10 + blocks, widths[2]), (13 + blocks, widths[1]))
    found |= {f"model.{number}": (width, width // 2, 3, 3) for number, width in ups}
    found[f"model.{17 + blocks}"] = (outputs, filters, 7, 7)
    return _drawn(found, seed, transposed={f"model.{number}" for number, _ in ups})


def unet(inputs, outputs, filters, depth=6, seed=0):
    """{name: array} of a U-Net with batch norm: each block around the next, which is its fourth layer."""
    widths, inside = [filters * min(2**level, 8) for level in range(depth)], "model.model"
    found = {f"{inside}.0": (filters, inputs, 4, 4), f"{inside}.3": (2 * filters, outputs, 4, 4)}
    transposed, norms = {f"{inside}.3"}, {}
    inside += ".1.model"
    for level in range(1, depth):
        innermost = level == depth - 1
        up, norm = (3, 4) if innermost else (5, 6)
        found[f"{inside}.1"] = (widths[level], widths[level - 1], 4, 4)
        found[f"{inside}.{up}"] = (widths[level] * (1 if innermost else 2), widths[level - 1], 4, 4)
        transposed.add(f"{inside}.{up}")
        norms[f"{inside}.{norm}"] = widths[level - 1]
        if not innermost:
            norms[f"{inside}.2"] = widths[level]
        inside += ".3.model"
    return _drawn(found, seed, norms, transposed, biases={"model.model.3"})


def patch_critic(inputs, filters, n_layers=3, norm="instance", seed=0):
    """{name: array} of a critic of patches; `inputs`: of pix2pix, channels of A and of B."""
    widths = [filters * min(2**level, 8) for level in range(n_layers + 1)]
    found, norms = {"model.0": (filters, inputs, 4, 4)}, {}
    for level in range(1, n_layers + 1):
        found[f"model.{3 * level - 1}"] = (widths[level], widths[level - 1], 4, 4)
        norms[f"model.{3 * level}"] = widths[level]
    found[f"model.{3 * n_layers + 2}"] = (1, widths[-1], 4, 4)
    return _of_critic(found, norms, norm, {"model.0", f"model.{3 * n_layers + 2}"}, seed)


def pixel_critic(inputs, filters, norm="instance", seed=0):
    """{name: array} of a critic of pixels; its last layer has a bias where those before a norm have them."""
    found = {"net.0": (filters, inputs, 1, 1), "net.2": (2 * filters, filters, 1, 1), "net.5": (1, 2 * filters, 1, 1)}
    return _of_critic(found, {"net.3": 2 * filters}, norm, {"net.0"}, seed)


def save(path, arrays):
    """Writes them as torch.save does; returns the path as text."""
    return str(write_zip(path, program(arrays), arrays))


def _of_critic(shapes, norms, norm, biases, seed):
    if norm == "instance":
        return _drawn(shapes, seed)
    return _drawn(shapes, seed, norms, biases=biases)


def _drawn(shapes, seed, norms=None, transposed=frozenset(), biases=None):
    """Arrays of convolutions by shape, with biases (`biases`: those that have any), and of batch norms by channels."""
    random, found = np.random.default_rng(seed), {}

    def draw(shape, mean=0.0):
        return (mean + 0.1 * random.standard_normal(shape)).astype(np.float32)

    for name, shape in shapes.items():
        found[f"{name}.weight"] = draw(shape)
        if biases is None or name in biases:
            found[f"{name}.bias"] = draw(shape[1] if name in transposed else shape[0])
    for name, channels in (norms or {}).items():
        statistics = {"running_mean": draw(channels, 7.0), "running_var": draw(channels, 7.0)}
        statistics["num_batches_tracked"] = np.array(9)
        own = {"weight": draw(channels, 1.0), "bias": draw(channels), **statistics}
        found |= {f"{name}.{each}": array for each, array in own.items()}
    return found
