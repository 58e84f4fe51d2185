"""Names in full, units and short explanations of scores and losses, for readers of the report."""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    """What a score or a loss is."""

    title: str  # in full, as in a sentence
    about: str  # one or two sentences; empty for what only its author can explain
    unit: str = ""
    group: str = ""  # of charts, for losses


SCORES, CONTENT, GAME, HEALTH, RATES = (
    "Scores",
    "Content losses",
    "Generators against critics",
    "Signs of trouble",
    "Learning rates and speed",
)
GROUPS = (SCORES, CONTENT, GAME, HEALTH, RATES)  # of charts, in their order
METRICS = {
    "l1": Meaning("mean absolute difference", "Between translation and target, as a share of the value range."),
    "psnr": Meaning(
        "peak signal-to-noise ratio (PSNR)",
        "How close the translation is to the target: 10 dB more are a tenth of the squared error.",
        "dB",
    ),
    "ssim": Meaning("structural similarity (SSIM)", "Of translation and target: 1 for equal images."),
    "ms_ssim": Meaning(
        "structural similarity at five scales (MS-SSIM)", "Of translation and target: 1 for equal images."
    ),
    "pixel_accuracy": Meaning("pixel accuracy", "Share of the pixels that have the class of the target."),
    "class_accuracy": Meaning("class accuracy", "Pixel accuracy of each class, then the mean over classes."),
    "mean_iou": Meaning("mean intersection over union", "Overlap with the target's classes, mean over classes."),
    "cycle_l1": Meaning(
        "cycle error",
        "Mean absolute difference between an image and its translation to the other domain and back, as a share of the"
        " value range. Low values alone say little: copies have them, too.",
    ),
    "swd": Meaning(
        "sliced Wasserstein distance (SWD)",
        "Between small patches of the translations and of real target images, in levels of 255. Compares colours and"
        " textures, not content.",
    ),
    "diversity": Meaning(
        "diversity", "How much translations differ from each other, relative to target images. Near 1 is right."
    ),
    "correlation": Meaning(
        "correlation of luminance", "Between input and translation: near 1 is a copy, below 0 is inverted."
    ),
    "dark_channel": Meaning("dark channel", "Mean of the lowest value in 15x15 pixels: high under haze and cloud."),
    "contrast": Meaning("contrast", "Standard deviation of luminance, 0 to 0.5."),
    "gradient": Meaning("gradient", "Mean steepness of luminance: rain and noise raise it, haze lowers it."),
    "colourfulness": Meaning("colourfulness", "By Hasler and Süsstrunk: 0 is gray, 33 moderate, 82 high."),
    "fid": Meaning(
        "Fréchet Inception distance (FID)",
        "Between Inception features of translations and of target images. Biased for few images.",
    ),
    "kid": Meaning(
        "kernel Inception distance (KID)", "Between Inception features of translations and of target images. Unbiased."
    ),
    "kid_error": Meaning("standard error of KID", "Over random subsets of the images."),
    "frechet_distance": Meaning("Fréchet distance", "Between features of your own network."),
    "kernel_distance": Meaning("kernel distance", "Between features of your own network."),
}
ADVERSARIAL = "adversarial"  # a loss that generators and critics have
LOSSES = {
    "L1": Meaning("L1 loss", "Mean absolute difference between translation and target.", group=CONTENT),
    "pairs": Meaning("pair loss", "Difference between translation and target of pairs.", group=CONTENT),
    "cycle": Meaning(
        "cycle loss", "Difference between an image and its translation to the other domain and back.", group=CONTENT
    ),
    "reconstruction": Meaning(
        "reconstruction loss",
        "Difference between an image and its translation to the other domain and back.",
        group=CONTENT,
    ),
    "identity": Meaning("identity loss", "Change of images that are of the target domain already.", group=CONTENT),
    "NCE": Meaning(
        "contrastive loss (PatchNCE)",
        "How hard it is to find the place of the input that a patch of the translation shows.",
        group=CONTENT,
    ),
    "NCE_identity": Meaning(
        "contrastive loss of target images", "The same for images that are of the target domain already.", group=CONTENT
    ),
    "margin": Meaning(
        "critic's margin",
        "Mean score of real images minus mean score of fakes: near 0, the critic cannot tell them apart. A margin that"
        " keeps growing while samples do not improve is a critic that wins.",
        group=GAME,
    ),
    "gradient_penalty": Meaning("gradient penalty", "How far the norm of the critic's gradient is from 1.", group=GAME),
    "luminance_correlation": Meaning(
        "correlation of luminance",
        "Between input and fake: near 1 is a copy, near 0 does not follow the input, below 0 is inverted.",
        group=HEALTH,
    ),
    "distance_from_input": Meaning(
        "distance from the input", "Mean absolute difference, as a share of the range: near 0 is a copy.", group=HEALTH
    ),
}
OF_CRITICS = Meaning(
    "adversarial loss of critics", "GAN loss of the critics. GAN losses do not fall steadily.", group=GAME
)
OF_GENERATORS = Meaning(
    "adversarial loss of generators", "GAN loss of the generators. GAN losses do not fall steadily.", group=GAME
)
WHOLE = {  # columns without a direction
    "images_per_s": Meaning("images per second", "Mean since start or resume.", group=RATES),
    "waiting": Meaning("waiting for images", "Share of the time, mean since start or resume.", group=RATES),
    "learning_rate/critic": Meaning("learning rates", "Rate of each step.", group=RATES),
    "learning_rate/generator": Meaning("learning rates", "Rate of each step.", group=RATES),
}


def of_metric(name: str) -> Meaning:
    """Returns the Meaning of a metric: psnr; an unknown one has its name as title."""
    meaning = METRICS.get(name, Meaning(name.replace("_", " "), ""))
    return meaning._replace(group=SCORES)


def of_loss(column: str) -> Meaning:
    """Returns the Meaning of a column of log.csv: A2B/generator/cycle; that of an unknown loss is its name."""
    role, _, name = column.rpartition("/")
    if column in WHOLE:
        return WHOLE[column]
    if name == ADVERSARIAL:
        return OF_CRITICS if role.endswith("critic") else OF_GENERATORS
    unknown = Meaning(name.replace("_", " "), "", group=GAME if role.endswith("critic") else CONTENT)
    return LOSSES.get(name, unknown)
