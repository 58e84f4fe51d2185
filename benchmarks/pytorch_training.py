"""Trains CycleGAN and pix2pix in PyTorch for the same number of steps as a run of this toolkit.

python -m benchmarks.pytorch_training --run_dir runs/pix2pix-facades --output runs/facades-pytorch

Shows whether both learn equally well. Settings, images, the number of steps and the initial weights are those of the
run. Convolutions, norms and Adam are PyTorch's, and resizing is Pillow's. Writes the translated validation images to
OUTPUT/A2B and OUTPUT/B2A, where benchmarks.scores can compare them with those of the run, and prints their scores.
Needs PyTorch: pip install -e '.[bench]'.
"""

from __future__ import annotations

import pathlib
import random
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

try:
    import torch
except ImportError:
    sys.exit("error: PyTorch is not installed, which this comparison needs. Install it: pip install -e '.[bench]'.")
from PIL import Image

from benchmarks import arguments, scores
from common import tensorflow as tf
from common.dual import Dual
from common.run.folder import load_run
from common.train import step
from cyclegan import CycleGAN as CycleGANSettings
from pix2pix import Pix2Pix as Pix2PixSettings
from tests.parity import published

Draw: TypeAlias = Sequence[float]  # three numbers in [0, 1): top and left of the crop, and whether to flip


def initial_weights(dual: Dual, seed: int) -> dict[str, npt.NDArray[Any]]:
    """Returns the initial weights of a run of `dual`, by name."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(seed)
        A, B = (tf.zeros([1, *dual.image_sides, channels]) for channels in (dual.channels_A, dual.channels_B))
        step.build(dual, A, B, tf.zeros([1], tf.int64), images_in_epoch=1)
        session.run(tf.global_variables_initializer())
        return session.run({v.op.name: v for v in tf.get_collection(tf.GraphKeys.MODEL_VARIABLES)})


class Domain:
    """The images of one domain, resized to the margin once, cropped and mirrored each time they are used."""

    def __init__(self, paths: Sequence[pathlib.Path], dual: Dual, channels: int, *, margin: bool) -> None:
        self.sides, self.flip = dual.image_sides, dual.flip and margin
        height, width = dual.load_sides if margin else dual.image_sides
        mode = {1: "L", 3: "RGB"}[channels]
        resample = Image.Resampling.BICUBIC
        self.images = [np.array(Image.open(path).convert(mode).resize((width, height), resample)) for path in paths]
        self.names = [path.stem for path in paths]

    def tensor(self, number: int, draw: Draw = (0.0, 0.0, 1.0)) -> torch.Tensor:
        """Returns image `number`, [1, C, S, S] in [-1, 1], with the crop and the flip of `draw`."""
        image = self.images[number]
        height, width = self.sides
        top, left = (int(x * (whole - side + 1)) for x, whole, side in zip(draw, image.shape, self.sides))
        image = image[top : top + height, left : left + width]
        image = image[:, ::-1] if self.flip and draw[2] < 0.5 else image
        image = np.atleast_3d(image).astype(np.float32) / 127.5 - 1.0
        return torch.from_numpy(image.transpose(2, 0, 1).copy())[None]


class Pool:
    """Earlier fakes, one by one (Shrivastava et al., 2017)."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.kept: list[torch.Tensor] = []

    def recall(self, image: torch.Tensor) -> torch.Tensor:
        """Returns `image`, or an earlier one from the pool."""
        if len(self.kept) < self.size:
            self.kept.append(image)
            return image
        if self.size and random.random() > 0.5:
            slot = random.randrange(self.size)
            before, self.kept[slot] = self.kept[slot], image
            return before
        return image


def numbers(paired: bool, counts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yields (index in A, index in B) forever: passes over the larger domain; unpaired, the other one at random."""
    while True:
        for number in random.sample(range(max(counts)), max(counts)):
            if paired:
                yield number, number
            elif counts[0] == max(counts):
                yield number, random.randrange(counts[1])
            else:
                yield random.randrange(counts[0]), number


def factor(dual: Dual, images: int, in_epoch: int) -> float:
    """Returns the factor of the learning rate after a number of images; linear as in PyTorch's CycleGAN."""
    if dual.lr_policy == "constant":
        return 1.0
    assert dual.lr_policy == "linear"
    return 1.0 - max(0, images // in_epoch + 1 - dual.n_epochs) / (dual.n_epochs_decay + 1)


class CycleGAN:
    """Two generators and two critics, as published."""

    def __init__(self, dual: CycleGANSettings, weights: dict[str, npt.NDArray[Any]]) -> None:
        assert dual.gan_loss == "lsgan" and dual.norm == dual.norm_D == "instance" and not dual.dropout
        self.dual, self.blocks = dual, {"resnet_9blocks": 9, "resnet_6blocks": 6}[dual.netG]
        self.to_B, self.to_A, self.like_B, self.like_A = (
            published.Weights(f"{direction}/{role}", weights)
            for role in ("generator", "critic")
            for direction in ("A2B", "B2A")
        )
        self.pools = Pool(dual.pool_size), Pool(dual.pool_size)
        self.generators, self.critics = (self.to_B, self.to_A), (self.like_B, self.like_A)

    def translate(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """Returns images in direction `name`: [N, C, S, S]."""
        return published.resnet(x, self.to_B if name == "A2B" else self.to_A, self.blocks)

    def generator_loss(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        """Returns the loss of both generators, and keeps their fakes for `critic_loss`."""
        dual, l1 = self.dual, published.l1
        self.fake = self.translate(A, "A2B"), self.translate(B, "B2A")
        loss = sum(
            published.mse(published.patch_critic(fake, critic, dual.n_layers), 1.0)
            for fake, critic in zip(self.fake, self.critics)
        )
        loss = loss + dual.lambda_A * l1(self.translate(self.fake[0], "B2A"), A)
        loss = loss + dual.lambda_B * l1(self.translate(self.fake[1], "A2B"), B)
        if dual.lambda_identity:
            same = dual.lambda_B * l1(self.translate(B, "A2B"), B) + dual.lambda_A * l1(self.translate(A, "B2A"), A)
            loss = loss + dual.lambda_identity * same
        return loss

    def critic_loss(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        """Returns the loss of both critics."""
        loss = torch.zeros([])
        for real, fake, critic, pool in zip((B, A), self.fake, self.critics, self.pools):
            of_real = published.patch_critic(real, critic, self.dual.n_layers)
            of_fake = published.patch_critic(pool.recall(fake.detach()), critic, self.dual.n_layers)
            loss = loss + 0.5 * (published.mse(of_real, 1.0) + published.mse(of_fake, 0.0))
        return loss

    def step(
        self, A: torch.Tensor, B: torch.Tensor, optimizer_G: torch.optim.Optimizer, optimizer_D: torch.optim.Optimizer
    ) -> None:
        """Updates the generators, then the critics."""
        down(optimizer_G, self.generators, self.generator_loss(A, B))
        down(optimizer_D, self.critics, self.critic_loss(A, B))


class Pix2Pix:
    """One generator and a critic that sees its input, as published."""

    def __init__(self, dual: Pix2PixSettings, weights: dict[str, npt.NDArray[Any]]) -> None:
        assert dual.gan_loss == "classic" and dual.norm == dual.norm_D == "batch" and dual.train_direction == "A2B"
        self.dual, self.depth = dual, {"unet_256": 8, "unet_128": 7, "unet_64": 6}[dual.netG]
        self.to_B, self.like_B = (published.Weights(f"A2B/{role}", weights) for role in ("generator", "critic"))
        self.generators, self.critics = (self.to_B,), (self.like_B,)

    def translate(self, x: torch.Tensor, name: str = "A2B") -> torch.Tensor:
        """Returns images of B: [N, C, S, S]."""
        del name
        return published.unet(x, self.to_B, self.depth, drop=self.dual.dropout)

    def scores(self, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        """Returns the critic's scores of pairs."""
        return published.patch_critic(torch.cat([A, B], dim=1), self.like_B, self.dual.n_layers, published.BATCH)

    def step(
        self, A: torch.Tensor, B: torch.Tensor, optimizer_G: torch.optim.Optimizer, optimizer_D: torch.optim.Optimizer
    ) -> None:
        """Updates the critic, then the generator."""
        fake = self.translate(A)
        loss = published.bce(self.scores(A, fake.detach()), 0.0) + published.bce(self.scores(A, B), 1.0)
        down(optimizer_D, self.critics, 0.5 * loss)
        loss = published.bce(self.scores(A, fake), 1.0) + self.dual.lambda_L1 * published.l1(fake, B)
        down(optimizer_G, self.generators, loss)


def down(optimizer: torch.optim.Optimizer, networks: Sequence[published.Weights], loss: torch.Tensor) -> None:
    """Takes one optimizer step on a loss, with the gradients of only its own networks."""
    parameters = [parameter for network in networks for parameter in network.named.values()]
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters, allow_unused=True)):
        parameter.grad = gradient
    optimizer.step()


def train(model: CycleGAN | Pix2Pix, domains: Sequence[Domain], steps: int, in_epoch: int) -> None:
    """Trains `model` with one image of each domain in a step; an epoch has `in_epoch` images."""
    dual = model.dual
    adam = {
        networks: torch.optim.Adam(
            [weight for network in networks for weight in network.named.values()], 2e-4, (dual.beta1, dual.beta2)
        )
        for networks in (model.generators, model.critics)
    }
    order = numbers(dual.pairing == "all", [len(domain.images) for domain in domains])
    began = time.monotonic()
    for number in range(steps):
        for networks, rate in ((model.generators, dual.lr_G), (model.critics, dual.lr_D)):
            adam[networks].param_groups[0]["lr"] = rate * factor(dual, number, in_epoch)
        draws = [[random.random() for _ in range(3)] for _ in domains]
        draws[1] = draws[0] if dual.pairing == "all" else draws[1]
        A, B = (domain.tensor(i, draw) for domain, i, draw in zip(domains, next(order), draws))
        model.step(A, B, adam[model.generators], adam[model.critics])
        if (number + 1) % 500 == 0:
            print(f"step {number + 1:,}/{steps:,}, {time.monotonic() - began:.0f} s", flush=True)


def write(model: CycleGAN | Pix2Pix, domains: Sequence[Domain], output: str) -> None:
    """Writes the translation of every validation image in every direction."""
    for name in model.dual.directions:
        folder = pathlib.Path(output, name)
        folder.mkdir(parents=True, exist_ok=True)
        domain = domains["AB".index(name[0])]
        for number, stem in enumerate(domain.names):
            with torch.no_grad():
                fake = model.translate(domain.tensor(number), name)[0].permute(1, 2, 0).numpy()
            pixels = np.rint((fake + 1.0) * 127.5).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels.squeeze()).save(folder / f"{stem}.png")


def model_of(dual: Dual, weights: dict[str, npt.NDArray[Any]]) -> CycleGAN | Pix2Pix:
    """Returns the model with the settings of `dual`, which must be as published."""
    assert not (dual.spectral_norm or dual.ema_decay or dual.d_warmup) and dual.n_gen == dual.n_critic == 1
    assert (dual.interpolation, dual.antialias, dual.preprocess) == ("bicubic", True, "resize_and_crop")
    if isinstance(dual, Pix2PixSettings):
        assert dual.netD == "patch"
        return Pix2Pix(dual, weights)
    assert isinstance(dual, CycleGANSettings) and dual.netD == "patch"
    return CycleGAN(dual, weights)


def main() -> None:
    """Runs the command line."""
    parser = arguments.parser("pytorch_training", __doc__)
    parser.add_argument("--run_dir", required=True, help="folder of the run of this toolkit")
    parser.add_argument("--output", required=True, help="folder to write the translated images to")
    parser.add_argument("--steps", type=int, default=0, help="steps to train; 0: as many as the run")
    parser.add_argument("--threads", type=int, default=0, help="threads of PyTorch; 0: as many as the run")
    args = parser.parse_args()
    saved = load_run(args.run_dir)
    dual, images, run = saved.dual, saved.images, saved.run
    assert run.batch_size == 1 and not images.side_by_side, "only what is published"
    random.seed(run.seed)
    torch.manual_seed(run.seed)
    if args.threads or run.threads:
        torch.set_num_threads(args.threads or run.threads)
    files, channels = images.training_files(dual), (dual.channels_A, dual.channels_B)
    domains = [Domain(paths, dual, c, margin=True) for paths, c in zip(files, channels)]
    held_out = [Domain(paths, dual, c, margin=False) for paths, c in zip(images.validation_files(dual), channels)]
    model = model_of(dual, initial_weights(dual, run.seed))
    in_epoch = images.images_in_epoch(files)
    train(model, domains, args.steps or run.total_steps(dual, in_epoch), in_epoch)
    write(model, held_out, args.output)
    print(scores.table(args.output, dual, images))


if __name__ == "__main__":
    main()
