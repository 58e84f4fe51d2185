"""CycleGAN and pix2pix in PyTorch, written from the papers and the tables of their code: the other side of parity.

Weights come by their names here and in the layout here, [k, k, in, out] and for transposed
convolutions [k, k, out, in], so that gradients come in it, too. Images are NCHW.
"""

import torch
from torch.nn import functional

INSTANCE, BATCH = "instance", "batch"


class Weights:
    """Parameters of one network, by the names below its scope."""

    def __init__(self, scope, arrays):
        self.scope = scope
        self.named = {
            name[len(scope) + 1 :]: torch.tensor(value, requires_grad=True)
            for name, value in arrays.items()
            if name.startswith(f"{scope}/")
        }

    def __getitem__(self, name):
        return self.named[name]

    def get(self, name):
        return self.named.get(name)


def conv(x, w, name, stride=1, padding=0, reflect=0):
    if reflect:
        x = functional.pad(x, [reflect] * 4, mode="reflect")
    return functional.conv2d(
        x, w[f"{name}/kernel"].permute(3, 2, 0, 1).contiguous(), w.get(f"{name}/bias"), stride, padding
    )


def conv_transpose(x, w, name, output_padding=0):
    kernel = w[f"{name}/kernel"].permute(3, 2, 0, 1).contiguous()
    return functional.conv_transpose2d(x, kernel, w.get(f"{name}/bias"), 2, 1, output_padding)


def norm(x, w, name, kind):
    if kind == INSTANCE:
        return functional.instance_norm(x, eps=1e-5)
    return functional.batch_norm(x, None, None, w[f"{name}/scale"], w[f"{name}/shift"], training=True, eps=1e-5)


def resnet(x, w, blocks, kind=INSTANCE):
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


def unet(x, w, depth, kind=BATCH, drop=0.0, level=0):
    """Recursive, as a block around a block: what comes back is [what went in, what came up]."""
    down = conv(x if level == 0 else functional.leaky_relu(x, 0.2), w, f"down_{level}", 2, 1)
    if level == depth - 1:
        inner = down
    else:
        down = down if level == 0 else norm(down, w, f"down_{level}", kind)
        inner = unet(down, w, depth, kind, drop, level + 1)
    name = "out" if level == 0 else f"up_{level - 1}"
    up = conv_transpose(torch.relu(inner), w, name)
    if level == 0:
        return torch.tanh(up)
    up = norm(up, w, name, kind)
    if 4 <= level < depth - 1:  # all but the innermost and the last four
        up = functional.dropout(up, drop)
    return torch.cat([x, up], dim=1)


def patch_critic(x, w, n_layers=3, kind=INSTANCE):
    x = functional.leaky_relu(conv(x, w, "down_0", 2, 1), 0.2)
    for level in range(1, n_layers + 1):
        x = conv(x, w, f"down_{level}", 2 if level < n_layers else 1, 1)
        x = functional.leaky_relu(norm(x, w, f"down_{level}", kind), 0.2)
    return conv(x, w, "out", 1, 1)


def mse(scores, label):
    return torch.mean((scores - label) ** 2)


def bce(scores, label):
    return functional.binary_cross_entropy_with_logits(scores, torch.full_like(scores, label))


def l1(x, y):
    return torch.mean(torch.abs(x - y))
