"""PyTorch: the published networks and steps of CycleGAN and pix2pix, in usual PyTorch style."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import torch
from torch import nn

from benchmarks.contenders.cases import Case, Step
from benchmarks.contenders.forms import Form

PLAIN = Form()
BETAS, RATE = (0.5, 0.999), 2e-4


def convolution(
    inputs: int,
    outputs: int,
    size: int,
    stride: int = 1,
    padding: int = 0,
    *,
    norm: type[nn.Module] | None = nn.InstanceNorm2d,
    activation: nn.Module | None = None,
) -> list[nn.Module]:
    """Returns convolution, norm and activation as a list of modules."""
    modules = [nn.Conv2d(inputs, outputs, size, stride, padding, bias=norm is not nn.BatchNorm2d)]
    if norm is not None:
        modules.append(norm(outputs))
    if activation is not None:
        modules.append(activation)
    return modules


class Residual(nn.Module):
    """A block of a ResNet."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.ReflectionPad2d(1),
            *convolution(filters, filters, 3, activation=nn.ReLU(True)),
            nn.ReflectionPad2d(1),
            *convolution(filters, filters, 3),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Adds the layers to the input."""
        return x + self.inner(x)


def resnet(blocks: int, filters: int = 64) -> nn.Module:
    """Returns CycleGAN's generator."""
    modules = [nn.ReflectionPad2d(3), *convolution(3, filters, 7, activation=nn.ReLU(True))]
    for width in (filters, 2 * filters):
        modules += convolution(width, 2 * width, 3, 2, 1, activation=nn.ReLU(True))
    modules += [Residual(4 * filters) for _ in range(blocks)]
    for width in (4 * filters, 2 * filters):
        modules += [nn.ConvTranspose2d(width, width // 2, 3, 2, 1, 1), nn.InstanceNorm2d(width // 2), nn.ReLU(True)]
    return nn.Sequential(*modules, nn.ReflectionPad2d(3), nn.Conv2d(filters, 3, 7), nn.Tanh())


class Skip(nn.Module):
    """A level of a U-Net around the level below it."""

    def __init__(
        self, outer: int, inner: int, below: nn.Module | None = None, *, outermost: bool = False, dropout: bool = False
    ) -> None:
        super().__init__()
        down = nn.Conv2d(3 if outermost else outer, inner, 4, 2, 1, bias=False)
        up = nn.ConvTranspose2d(2 * inner if below else inner, 3 if outermost else outer, 4, 2, 1, bias=outermost)
        if outermost:
            layers = [down, below, nn.ReLU(True), up, nn.Tanh()]
        else:
            norm = [nn.BatchNorm2d(inner)] if below else []
            layers = [nn.LeakyReLU(0.2, True), down, *norm, *([below] if below else []), nn.ReLU(True), up]
            layers += [nn.BatchNorm2d(outer)] + ([nn.Dropout(0.5)] if dropout else [])
        self.layers, self.outermost = nn.Sequential(*layers), outermost

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Applies the layers; all but the outermost keep the input next to their output."""
        return self.layers(x) if self.outermost else torch.cat([x, self.layers(x)], 1)


def unet(depth: int = 8, filters: int = 64) -> nn.Module:
    """Returns pix2pix's generator."""
    level = Skip(8 * filters, 8 * filters)
    for _ in range(depth - 5):
        level = Skip(8 * filters, 8 * filters, level, dropout=True)
    for width in (4 * filters, 2 * filters, filters):
        level = Skip(width, 2 * width, level)
    return Skip(3, filters, level, outermost=True)


def patch_critic(channels: int, norm: type[nn.Module], filters: int = 64) -> nn.Module:
    """Returns a critic of patches of 70 pixels."""
    modules = convolution(channels, filters, 4, 2, 1, norm=None, activation=nn.LeakyReLU(0.2, True))
    for level in range(3):
        width, stride = filters * 2**level, 2 if level < 2 else 1
        modules += convolution(width, 2 * width, 4, stride, 1, norm=norm, activation=nn.LeakyReLU(0.2, True))
    return nn.Sequential(*modules, nn.Conv2d(8 * filters, 1, 4, 1, 1))


class Pool:
    """Earlier fakes."""

    def __init__(self, size: int = 50) -> None:
        self.size = size
        self.kept: list[torch.Tensor] = []

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        if len(self.kept) < self.size:
            self.kept.append(image)
            return image
        if random.random() < 0.5:
            return image
        slot = random.randrange(self.size)
        before, self.kept[slot] = self.kept[slot], image
        return before


def against(game: nn.Module, scores: torch.Tensor, real: bool) -> torch.Tensor:
    """Returns the loss of scores for the label real or fake."""
    return game(scores, torch.full_like(scores, float(real)))


def trained(networks: Iterable[nn.Module], wanted: bool) -> None:
    """Sets whether the weights of `networks` get gradients."""
    for network in networks:
        network.requires_grad_(wanted)


class Place(NamedTuple):
    """The device and precision of networks."""

    device: str = "cpu"
    form: Form = PLAIN

    def network(self, network: nn.Module) -> nn.Module:
        """Moves `network` there and returns it."""
        network = network.to(self.device)
        if self.form.channels_last:
            network = network.to(memory_format=torch.channels_last)
        return torch.compile(network) if self.form.compiled else network

    def images(self, batches: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Moves batches there, as each training step has to, and returns them."""
        order = torch.channels_last if self.form.channels_last else torch.contiguous_format
        return [batch.to(self.device, memory_format=order, non_blocking=True) for batch in batches]

    def lowered(self) -> AbstractContextManager[None]:
        """Returns a context in which networks and losses compute in bf16, if requested."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.form.precision == "bf16")


def cyclegan(case: Case, place: Place) -> Step:
    """Returns a function that takes a step of CycleGAN."""
    blocks = {"resnet_6blocks": 6, "resnet_9blocks": 9}[case.generator]
    to_B, to_A = (place.network(resnet(blocks)) for _ in range(2))
    like_B, like_A = (place.network(patch_critic(3, nn.InstanceNorm2d)) for _ in range(2))
    generate = torch.optim.Adam(itertools.chain(to_B.parameters(), to_A.parameters()), RATE, BETAS)
    judge = torch.optim.Adam(itertools.chain(like_B.parameters(), like_A.parameters()), RATE, BETAS)
    game, l1, pools = nn.MSELoss(), nn.L1Loss(), (Pool(), Pool())
    batches = tensors(case)

    def step() -> None:
        A, B = place.images(batches)
        trained((like_A, like_B), False)
        generate.zero_grad()
        with place.lowered():
            fake_B, fake_A = to_B(A), to_A(B)
            back_A, back_B = to_A(fake_B), to_B(fake_A)
            loss = 5.0 * (l1(to_B(B), B) + l1(to_A(A), A)) + 10.0 * (l1(back_A, A) + l1(back_B, B))
            loss = loss + against(game, like_B(fake_B), True) + against(game, like_A(fake_A), True)
        loss.backward()
        generate.step()
        trained((like_A, like_B), True)
        judge.zero_grad()
        for critic, real, fake, pool in ((like_B, B, fake_B, pools[0]), (like_A, A, fake_A, pools[1])):
            seen = pool(fake.detach())
            with place.lowered():
                loss = 0.5 * (against(game, critic(real), True) + against(game, critic(seen), False))
            loss.backward()
        judge.step()

    return step


def pix2pix(case: Case, place: Place) -> Step:
    """Returns a function that takes a step of pix2pix."""
    to_B, like_B = place.network(unet()), place.network(patch_critic(6, nn.BatchNorm2d))
    generate = torch.optim.Adam(to_B.parameters(), RATE, BETAS)
    judge = torch.optim.Adam(like_B.parameters(), RATE, BETAS)
    game, l1 = nn.BCEWithLogitsLoss(), nn.L1Loss()
    batches = tensors(case)

    def step() -> None:
        A, B = place.images(batches)
        trained((like_B,), True)
        judge.zero_grad()
        with place.lowered():
            fake = to_B(A)
            seen = like_B(torch.cat([A, fake.detach()], 1)), like_B(torch.cat([A, B], 1))
            loss = 0.5 * (against(game, seen[0], False) + against(game, seen[1], True))
        loss.backward()
        judge.step()
        trained((like_B,), False)
        generate.zero_grad()
        with place.lowered():
            loss = against(game, like_B(torch.cat([A, fake], 1)), True) + 100.0 * l1(fake, B)
        loss.backward()
        generate.step()

    return step


def tensors(case: Case) -> list[torch.Tensor]:
    """Returns A and B, [N, 3, S, S]."""
    return [torch.from_numpy(image.transpose(0, 3, 1, 2).copy()) for image in case.images()]


def prepare(case: Case, threads: int, form: Form = PLAIN, device: str = "cpu") -> Step:
    """Returns a function that takes one step or translates one batch, asynchronously on a GPU."""
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = form.precision != "float32"
    torch.backends.cudnn.benchmark = True  # as its documentation advises for images of one size
    place = Place("cpu" if device == "cpu" else "cuda", form)
    if case.training:
        return {"cyclegan": cyclegan, "pix2pix": pix2pix}[case.model](case, place)
    network, batches = place.network(resnet(9).eval()), tensors(case)[:1]

    def translate() -> None:
        with torch.inference_mode(), place.lowered():
            network(*place.images(batches)).cpu()

    return translate


def finish() -> None:
    """Waits until all work of a GPU is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_MiB_of_gpu() -> float:
    """Returns the peak GPU memory of tensors in MiB; 0 without a GPU."""
    return torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0
