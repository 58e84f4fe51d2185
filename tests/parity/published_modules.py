"""The same networks as modules of PyTorch, whose weights have the names that they have in published files."""

import torch
from torch import nn
from torch.nn import functional

UNBIASED = ("batch", "none")  # norms with no biases in front


def norm(kind, channels):
    if kind == "none":
        return nn.Identity()
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    return nn.InstanceNorm2d(channels, affine=kind == "instance_affine", track_running_stats=kind == "instance")


class Net(nn.Module):
    """Layers below the name `model`, or another."""

    def __init__(self, *layers, name="model"):
        super().__init__()
        self.name = name
        setattr(self, name, nn.Sequential(*layers))

    def forward(self, x):
        return getattr(self, self.name)(x)


class Halved(nn.Module):
    """CUT's blur and every second value, with its filter as a buffer for each channel."""

    def __init__(self, channels):
        super().__init__()
        row = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("filt", torch.outer(row, row).repeat(channels, 1, 1, 1))

    def forward(self, x):
        return functional.conv2d(functional.pad(x, [1] * 4, "reflect"), self.filt, stride=2, groups=x.shape[1])


class Doubled(nn.Module):
    """CUT's blur of values with zeros between them."""

    def __init__(self, channels):
        super().__init__()
        row = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
        self.register_buffer("filt", torch.outer(row, row).repeat(channels, 1, 1, 1))

    def forward(self, x):
        wide = functional.pad(x, [1] * 4, "replicate")
        y = functional.conv_transpose2d(wide, self.filt, stride=2, padding=2, groups=x.shape[1])
        return y[:, :, 1:-1, 1:-1]


class ResnetBlock(nn.Module):
    def __init__(self, channels, kind, bias, dropout):
        super().__init__()
        half = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias), norm(kind, channels)]
        other = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias), norm(kind, channels)]
        self.conv_block = nn.Sequential(*half, nn.ReLU(), *[nn.Dropout(0.5)] * dropout, *other)

    def forward(self, x):
        return x + self.conv_block(x)


def resnet(inputs, outputs, filters, blocks, kind="instance", dropout=False, *, halves=False, doubles=False):
    """`halves`, `doubles`: by a blur and a convolution of stride 1, as CUT does, instead of by a stride of 2."""
    bias = kind not in UNBIASED
    layers = [nn.ReflectionPad2d(3), nn.Conv2d(inputs, filters, 7, bias=bias), norm(kind, filters), nn.ReLU()]
    for n in (filters, 2 * filters):
        stride = 1 if halves else 2
        layers += [nn.Conv2d(n, 2 * n, 3, stride, 1, bias=bias), norm(kind, 2 * n), nn.ReLU()]
        layers += [Halved(2 * n)] * halves
    layers += [ResnetBlock(4 * filters, kind, bias, dropout) for _ in range(blocks)]
    for n in (4 * filters, 2 * filters):
        up = [nn.ConvTranspose2d(n, n // 2, 3, 2, 1, 1, bias=bias)]
        if doubles:
            up = [Doubled(n), nn.Conv2d(n, n // 2, 3, 1, 1, bias=bias)]
        layers += [*up, norm(kind, n // 2), nn.ReLU()]
    return Net(*layers, nn.ReflectionPad2d(3), nn.Conv2d(filters, outputs, 7), nn.Tanh())


class UnetBlock(nn.Module):
    """Down, what is inside, up; but for the outermost, beside what went in."""

    def __init__(self, outer, inner, kind, inside=None, inputs=None):
        super().__init__()
        self.outermost, bias = inputs is not None, kind not in UNBIASED
        down = nn.Conv2d(inputs or outer, inner, 4, 2, 1, bias=bias)
        up = nn.ConvTranspose2d(inner * (1 if inside is None else 2), outer, 4, 2, 1, bias=bias or self.outermost)
        if self.outermost:
            layers = [down, inside, nn.ReLU(), up, nn.Tanh()]
        elif inside is None:
            layers = [nn.LeakyReLU(0.2), down, nn.ReLU(), up, norm(kind, outer)]
        else:
            layers = [nn.LeakyReLU(0.2), down, norm(kind, inner), inside, nn.ReLU(), up, norm(kind, outer)]
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class Unet(nn.Module):
    def __init__(self, inputs, outputs, filters, depth, kind="batch"):
        super().__init__()
        widths = [filters * min(2**level, 8) for level in range(depth)]
        block = None
        for level in range(depth - 1, 0, -1):
            block = UnetBlock(widths[level - 1], widths[level], kind, block)
        self.model = UnetBlock(outputs, widths[0], kind, block, inputs)

    def forward(self, x):
        return self.model(x)


def patch_critic(inputs, filters, n_layers=3, kind="instance", *, halves=False):
    """`halves`: by a blur, as CUT does; see resnet."""
    widths, bias = [filters * min(2**level, 8) for level in range(n_layers + 1)], kind not in UNBIASED
    step = 1 if halves else 2
    layers = [nn.Conv2d(inputs, filters, 4, step, 1), nn.LeakyReLU(0.2), *[Halved(filters)] * halves]
    for level in range(1, n_layers + 1):
        stride = step if level < n_layers else 1
        layers += [nn.Conv2d(widths[level - 1], widths[level], 4, stride, 1, bias=bias), norm(kind, widths[level])]
        layers += [nn.LeakyReLU(0.2), *[Halved(widths[level])] * (halves and level < n_layers)]
    return Net(*layers, nn.Conv2d(widths[-1], 1, 4, 1, 1))


class Heads(nn.Module):
    """CUT's network F: fully connected layers for each map, by the channels of the maps."""

    def __init__(self, channels, filters):
        super().__init__()
        for number, inputs in enumerate(channels):
            layers = nn.Linear(inputs, filters), nn.ReLU(), nn.Linear(filters, filters)
            setattr(self, f"mlp_{number}", nn.Sequential(*layers))

    def forward(self, maps):
        vectors = [getattr(self, f"mlp_{number}")(x) for number, x in enumerate(maps)]
        return [x / (x.norm(dim=-1, keepdim=True) + 1e-7) for x in vectors]


def pixel_critic(inputs, filters, kind="instance"):
    bias = kind not in UNBIASED
    first = [nn.Conv2d(inputs, filters, 1), nn.LeakyReLU(0.2)]
    second = [nn.Conv2d(filters, 2 * filters, 1, bias=bias), norm(kind, 2 * filters), nn.LeakyReLU(0.2)]
    return Net(*first, *second, nn.Conv2d(2 * filters, 1, 1, bias=bias), name="net")


def randomized(network, seed=0):
    """With weights far from zero, scales near one, and statistics that would spoil everything if they were used."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if value.dtype == torch.float32 and not name.endswith("filt"):
            drawn = torch.randn(value.shape, generator=generator)
            spread = 0.05 if value.dim() == 4 and value[0].numel() > 500 else 0.1
            value.copy_(7.0 + drawn.abs() if "running" in name else spread * drawn)
    for layer in network.modules():
        if isinstance(layer, (nn.BatchNorm2d, nn.InstanceNorm2d)):
            if layer.weight is not None:
                layer.weight.data += 1.0
            layer.train()
        elif isinstance(layer, nn.Dropout):
            layer.eval()
    return network


def tracked(network, seed=2):
    """With running statistics as of a training: means near zero, variances of any size."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if "running" in name:
            drawn = torch.rand(value.shape, generator=generator)
            value.copy_(0.2 + 2.0 * drawn if name.endswith("var") else 0.6 * drawn - 0.3)
    return network


def evaluate(network, images):
    """A network on images [N, H, W, C], as test.py --eval runs it: running statistics, and no dropout."""
    with torch.no_grad():
        return network.eval()(torch.tensor(images).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()


def run(network, images):
    """A network on images [N, H, W, C], each by itself, as it is tested: statistics of the image, and no dropout."""
    network.train()
    for layer in network.modules():
        if isinstance(layer, nn.Dropout):
            layer.eval()
        if isinstance(layer, (nn.BatchNorm2d, nn.InstanceNorm2d)):
            layer.momentum = 0.0  # else what it was saved with changes
    with torch.no_grad():
        made = [network(torch.tensor(image[None]).permute(0, 3, 1, 2))[0].permute(1, 2, 0).numpy() for image in images]
    return made
