"""CycleGAN and pix2pix in PyTorch, written from the papers and the tables of their code: the other side of parity.

Weights have the names and the layout of this toolkit, [k, k, in, out] and for transposed
convolutions [k, k, out, in], so that gradients have it, too. Images are NCHW.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt
import torch
from torch.nn import functional

INSTANCE, BATCH = "instance", "batch"


class Weights:
    """Parameters of one network, by the names below its scope."""

    def __init__(self, scope: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self.scope = scope
        self.named = {
            name[len(scope) + 1 :]: torch.tensor(value, requires_grad=True)
            for name, value in arrays.items()
            if name.startswith(f"{scope}/")
        }

    def __getitem__(self, name: str) -> torch.Tensor:
        return self.named[name]

    def get(self, name: str) -> torch.Tensor | None:
        """Returns a parameter, or None if the network has none of that name."""
        return self.named.get(name)


def conv(
    x: torch.Tensor, w: Weights, name: str, stride: int = 1, padding: int = 0, *, reflect: int = 0
) -> torch.Tensor:
    if reflect:
        x = functional.pad(x, [reflect] * 4, mode="reflect")
    return functional.conv2d(
        x, w[f"{name}/kernel"].permute(3, 2, 0, 1).contiguous(), w.get(f"{name}/bias"), stride, padding
    )


def conv_transpose(x: torch.Tensor, w: Weights, name: str, output_padding: int = 0) -> torch.Tensor:
    kernel = w[f"{name}/kernel"].permute(3, 2, 0, 1).contiguous()
    return functional.conv_transpose2d(x, kernel, w.get(f"{name}/bias"), 2, 1, output_padding)


def norm(x: torch.Tensor, w: Weights, name: str, kind: str) -> torch.Tensor:
    if kind == INSTANCE:
        return functional.instance_norm(x, eps=1e-5)
    return functional.batch_norm(x, None, None, w[f"{name}/scale"], w[f"{name}/shift"], training=True, eps=1e-5)


def resnet(x: torch.Tensor, w: Weights, blocks: int, kind: str = INSTANCE) -> torch.Tensor:
    x = torch.relu(norm(conv(x, w, "in", reflect=3), w, "in", kind))
    for level in (1, 2):
        x = torch.relu(norm(conv(x, w, f"down_{level}", 2, 1), w, f"down_{level}", kind))
    for block in range(blocks):
        first, second = f"block_{block}/first", f"block_{block}/second"
        y = torch.relu(norm(conv(x, w, first, reflect=1), w, first, kind))
        x = x + norm(conv(y, w, second, reflect=1), w, second, kind)
    for level in (1, 0):
        x = torch.relu(norm(conv_transpose(x, w, f"up_{level}", 1), w, f"up_{level}", kind))
    return torch.tanh(conv(x, w, "out", reflect=3))


def unet(
    x: torch.Tensor, w: Weights, depth: int, kind: str = BATCH, *, drop: float = 0.0, level: int = 0
) -> torch.Tensor:
    """Recursive, as a block around a block: returns [input, output of the block inside], except at the outermost."""
    down = conv(x if level == 0 else functional.leaky_relu(x, 0.2), w, f"down_{level}", 2, 1)
    if level == depth - 1:
        inner = down
    else:
        down = down if level == 0 else norm(down, w, f"down_{level}", kind)
        inner = unet(down, w, depth, kind, drop=drop, level=level + 1)
    name = "out" if level == 0 else f"up_{level - 1}"
    up = conv_transpose(torch.relu(inner), w, name)
    if level == 0:
        return torch.tanh(up)
    up = norm(up, w, name, kind)
    if 4 <= level < depth - 1:  # all but the innermost and the last four
        up = functional.dropout(up, drop)
    return torch.cat([x, up], dim=1)


def patch_critic(x: torch.Tensor, w: Weights, n_layers: int = 3, kind: str = INSTANCE) -> torch.Tensor:
    x = functional.leaky_relu(conv(x, w, "down_0", 2, 1), 0.2)
    for level in range(1, n_layers + 1):
        x = conv(x, w, f"down_{level}", 2 if level < n_layers else 1, 1)
        x = functional.leaky_relu(norm(x, w, f"down_{level}", kind), 0.2)
    return conv(x, w, "out", 1, 1)


def halved(x: torch.Tensor) -> torch.Tensor:
    """CUT's blur by [1, 2, 1] with reflected edges, then every second value."""
    return functional.conv2d(
        functional.pad(x, [1] * 4, mode="reflect"), _each(x, [1, 2, 1], 16), stride=2, groups=x.shape[1]
    )


def doubled(x: torch.Tensor) -> torch.Tensor:
    """CUT's way up: zeros between values, edges replicated, then a blur by [1, 3, 3, 1]."""
    wide = functional.pad(x, [1] * 4, mode="replicate")
    y = functional.conv_transpose2d(wide, _each(x, [1, 3, 3, 1], 16), stride=2, padding=2, groups=x.shape[1])
    return y[:, :, 1:-1, 1:-1]


def _each(x: torch.Tensor, row: list[int], divisor: int) -> torch.Tensor:
    """The same square filter for each channel of `x`, [C, 1, r, r]."""
    filter_ = torch.outer(torch.tensor(row), torch.tensor(row)).to(x.dtype) / divisor
    return filter_.expand(x.shape[1], 1, len(row), len(row))


def resnet_blur(x: torch.Tensor, w: Weights, blocks: int) -> tuple[torch.Tensor, dict[int, torch.Tensor]]:
    """CUT's generator: (its output, its maps by the numbers of its layers: padding, convolutions, blocks)."""
    maps = {0: functional.pad(x, [3] * 4, mode="reflect")}
    x = torch.relu(norm(conv(x, w, "in", reflect=3), w, "in", INSTANCE))
    for level in (1, 2):
        maps[4 * level] = x = conv(x, w, f"down_{level}", 1, 1)
        x = halved(torch.relu(norm(x, w, f"down_{level}", INSTANCE)))
    for block in range(blocks):
        first, second = f"block_{block}/first", f"block_{block}/second"
        y = torch.relu(norm(conv(x, w, first, reflect=1), w, first, INSTANCE))
        maps[12 + block] = x = x + norm(conv(y, w, second, reflect=1), w, second, INSTANCE)
    for level in (1, 0):
        x = torch.relu(norm(conv(doubled(x), w, f"up_{level}", 1, 1), w, f"up_{level}", INSTANCE))
    return torch.tanh(conv(x, w, "out", reflect=3)), maps


def patch_critic_blur(x: torch.Tensor, w: Weights, n_layers: int = 3) -> torch.Tensor:
    x = halved(functional.leaky_relu(conv(x, w, "down_0", 1, 1), 0.2))
    for level in range(1, n_layers + 1):
        x = functional.leaky_relu(norm(conv(x, w, f"down_{level}", 1, 1), w, f"down_{level}", INSTANCE), 0.2)
        x = halved(x) if level < n_layers else x
    return conv(x, w, "out", 1, 1)


def patch_nce(
    queries: list[torch.Tensor], keys: list[torch.Tensor], heads: Weights, temperature: float
) -> torch.Tensor:
    """The mean over maps [N, C, H, W] of a cross-entropy over all of their places: which key is at a query's place?"""

    def vectors(maps: torch.Tensor, number: int) -> torch.Tensor:
        x = maps.flatten(2).transpose(1, 2)  # [N, H W, C]
        x = torch.relu(x @ heads[f"map_{number}/hidden/kernel"] + heads[f"map_{number}/hidden/bias"])
        x = x @ heads[f"map_{number}/out/kernel"] + heads[f"map_{number}/out/bias"]
        return x / (x.norm(dim=-1, keepdim=True) + 1e-7)

    losses = []
    for number, (query, key) in enumerate(zip(queries, keys)):
        scores = vectors(query, number) @ vectors(key, number).detach().transpose(1, 2) / temperature
        own = torch.arange(scores.shape[1]).expand(scores.shape[:2])
        losses.append(functional.cross_entropy(scores.flatten(0, 1), own.flatten()))
    return torch.stack(losses).mean()


def mse(scores: torch.Tensor, label: float) -> torch.Tensor:
    return torch.mean((scores - label) ** 2)


def bce(scores: torch.Tensor, label: float) -> torch.Tensor:
    return functional.binary_cross_entropy_with_logits(scores, torch.full_like(scores, label))


def l1(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.mean(torch.abs(x - y))
