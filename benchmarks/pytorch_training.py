"""CycleGAN and pix2pix trained by PyTorch, on the budget of a run of this toolkit.

python -m benchmarks.pytorch_training --run_dir runs/pix2pix-facades --output runs/facades-pytorch

Settings, images and the number of steps are those of the run folder; networks begin with the
weights that the run began with. All else is PyTorch's or Pillow's: convolutions, norms, Adam,
resizing. What it makes of the validation images goes to OUTPUT/A2B and OUTPUT/B2A.
"""

import argparse
import pathlib
import random
import time

import numpy as np
import torch
from PIL import Image

from benchmarks import scores
from common import tensorflow as tf
from common.run.folder import load_run
from common.train import step
from tests.parity import published


def initial_weights(dual, seed):
    """The weights that a run of `dual` begins with, by name."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(seed)
        size = dual.image_size
        A, B = (tf.zeros([1, size, size, channels]) for channels in (dual.channels_A, dual.channels_B))
        step.build(dual, A, B, tf.zeros([1], tf.int64), images_in_epoch=1)
        session.run(tf.global_variables_initializer())
        return session.run({v.op.name: v for v in tf.get_collection(tf.GraphKeys.MODEL_VARIABLES)})


class Domain:
    """The images of one domain, resized to the margin once, cropped and mirrored whenever they are asked for."""

    def __init__(self, paths, dual, channels, margin):
        self.size, self.flip = dual.image_size, dual.flip and margin
        load = (dual.load_size or dual.image_size) if margin else dual.image_size
        mode = {1: "L", 3: "RGB"}[channels]
        self.images = [np.array(Image.open(p).convert(mode).resize([load, load], Image.BICUBIC)) for p in paths]
        self.names = [path.stem for path in paths]

    def tensor(self, number, draw=(0.0, 0.0, 1.0)):
        """Image `number`, [1, C, S, S] in [-1, 1]; `draw` are three numbers in [0, 1) for crop and flip."""
        image = self.images[number]
        margin = image.shape[0] - self.size
        top, left = (int(x * (margin + 1)) for x in draw[:2])
        image = image[top : top + self.size, left : left + self.size]
        image = image[:, ::-1] if self.flip and draw[2] < 0.5 else image
        image = np.atleast_3d(image).astype(np.float32) / 127.5 - 1.0
        return torch.from_numpy(image.transpose(2, 0, 1).copy())[None]


class Pool:
    """Fakes of before, one by one (Shrivastava et al., 2017)."""

    def __init__(self, size):
        self.size, self.kept = size, []

    def recall(self, image):
        """`image`, or one that came before it."""
        if len(self.kept) < self.size:
            self.kept.append(image)
            return image
        if self.size and random.random() > 0.5:
            slot = random.randrange(self.size)
            before, self.kept[slot] = self.kept[slot], image
            return before
        return image


def numbers(paired, counts):
    """(number of A, number of B) for ever: passes over the larger domain; unpaired, the other at random."""
    while True:
        for number in random.sample(range(max(counts)), max(counts)):
            if paired:
                yield number, number
            elif counts[0] == max(counts):
                yield number, random.randrange(counts[1])
            else:
                yield random.randrange(counts[0]), number


def factor(dual, images, in_epoch):
    """The learning rate's factor after so many images; linear as PyTorch's CycleGAN has it."""
    if dual.lr_policy == "constant":
        return 1.0
    assert dual.lr_policy == "linear"
    return 1.0 - max(0, images // in_epoch + 1 - dual.n_epochs) / (dual.n_epochs_decay + 1)


class CycleGAN:
    """Two generators and two critics, as published."""

    def __init__(self, dual, weights):
        assert dual.gan_loss == "lsgan" and dual.norm == dual.norm_D == "instance" and not dual.dropout
        self.dual, self.blocks = dual, {"resnet_9blocks": 9, "resnet_6blocks": 6}[dual.netG]
        self.to_B, self.to_A, self.like_B, self.like_A = (
            published.Weights(f"{direction}/{role}", weights)
            for role in ("generator", "critic")
            for direction in ("A2B", "B2A")
        )
        self.pools = Pool(dual.pool_size), Pool(dual.pool_size)
        self.generators, self.critics = (self.to_B, self.to_A), (self.like_B, self.like_A)

    def translate(self, x, name):
        return published.resnet(x, self.to_B if name == "A2B" else self.to_A, self.blocks)

    def generator_loss(self, A, B):
        dual, l1 = self.dual, published.l1
        self.real = A, B
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

    def critic_loss(self, A, B):
        loss = 0.0
        for real, fake, critic, pool in zip((B, A), self.fake, self.critics, self.pools):
            scored = [published.patch_critic(x, critic, self.dual.n_layers) for x in (real, pool.recall(fake.detach()))]
            loss = loss + 0.5 * (published.mse(scored[0], 1.0) + published.mse(scored[1], 0.0))
        return loss

    def step(self, A, B, optimizer_G, optimizer_D):
        down(optimizer_G, self.generators, self.generator_loss(A, B))
        down(optimizer_D, self.critics, self.critic_loss(A, B))


class Pix2Pix:
    """One generator and a critic that sees its input, as published."""

    def __init__(self, dual, weights):
        assert dual.gan_loss == "classic" and dual.norm == dual.norm_D == "batch" and dual.train_direction == "A2B"
        self.dual, self.depth = dual, {"unet_256": 8, "unet_128": 7, "unet_64": 6}[dual.netG]
        self.to_B, self.like_B = (published.Weights(f"A2B/{role}", weights) for role in ("generator", "critic"))
        self.generators, self.critics = (self.to_B,), (self.like_B,)

    def translate(self, x, name="A2B"):
        return published.unet(x, self.to_B, self.depth, drop=self.dual.dropout)

    def scores(self, A, B):
        return published.patch_critic(torch.cat([A, B], dim=1), self.like_B, self.dual.n_layers, published.BATCH)

    def step(self, A, B, optimizer_G, optimizer_D):
        fake = self.translate(A)
        loss = published.bce(self.scores(A, fake.detach()), 0.0) + published.bce(self.scores(A, B), 1.0)
        down(optimizer_D, self.critics, 0.5 * loss)
        loss = published.bce(self.scores(A, fake), 1.0) + self.dual.lambda_L1 * published.l1(fake, B)
        down(optimizer_G, self.generators, loss)


def down(optimizer, networks, loss):
    """One step of an optimizer down a loss, by the parameters of its own networks alone."""
    parameters = [parameter for network in networks for parameter in network.named.values()]
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters, allow_unused=True)):
        parameter.grad = gradient
    optimizer.step()


def train(model, dual, run, domains, steps, in_epoch):
    """Trains `model`; one image of each domain a step."""
    adam = {
        networks: torch.optim.Adam([p for n in networks for p in n.named.values()], 2e-4, (dual.beta1, 0.999))
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


@torch.no_grad()
def write(model, dual, domains, output):
    """Writes every validation image of every direction, translated."""
    for name in dual.directions:
        folder = pathlib.Path(output, name)
        folder.mkdir(parents=True, exist_ok=True)
        domain = domains["AB".index(name[0])]
        for number, stem in enumerate(domain.names):
            made = model.translate(domain.tensor(number), name)[0].permute(1, 2, 0).numpy()
            Image.fromarray(np.rint((made + 1.0) * 127.5).clip(0, 255).astype(np.uint8).squeeze()).save(
                folder / f"{stem}.png"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run_dir", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--steps", type=int, default=0, help="0: as many as the run")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as the run")
    asked = parser.parse_args()
    saved = load_run(asked.run_dir)
    dual, images, run = saved.dual, saved.images, saved.run
    plain = run.batch_size == dual.n_gen == dual.n_critic == 1 and dual.netD == "patch" and not dual.spectral_norm
    assert plain and not (dual.ema_decay or dual.d_warmup or images.side_by_side), "only what is published"
    assert (dual.interpolation, dual.antialias, dual.preprocess) == ("bicubic", True, "resize_and_crop")
    random.seed(run.seed)
    torch.manual_seed(run.seed)
    if asked.threads or run.threads:
        torch.set_num_threads(asked.threads or run.threads)
    files, channels = images.training_files(dual), (dual.channels_A, dual.channels_B)
    domains = [Domain(paths, dual, c, margin=True) for paths, c in zip(files, channels)]
    held_out = [Domain(paths, dual, c, margin=False) for paths, c in zip(images.validation_files(dual), channels)]
    model = {"CycleGAN": CycleGAN, "Pix2Pix": Pix2Pix}[type(dual).__name__](dual, initial_weights(dual, run.seed))
    in_epoch = images.images_in_epoch(files)
    train(model, dual, run, domains, asked.steps or run.total_steps(dual, in_epoch), in_epoch)
    write(model, dual, held_out, asked.output)
    print(scores.table(asked.output, dual, images))


if __name__ == "__main__":
    main()
