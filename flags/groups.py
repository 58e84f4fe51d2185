"""The groups of settings by what they are needed for, as --help and docs/flags.md show them.

A setting that is in no group belongs to METHOD, like those of a method of one's own.
"""

from __future__ import annotations

from collections.abc import Iterable

METHOD = "Method"
GROUPS: dict[str, tuple[str, ...]] = {  # title: settings; both with the most needed first
    "Run": ("phase", "run_dir", "preset", "pretrained", "checkpoint", "weights", "init_from", "init_critics", "seed"),
    "Data": (
        *("dataset", "dir_A", "dir_B", "data_root", "side_by_side", "download", "download_from", "limit"),
        *("channels_A", "channels_B", "range_A", "range_B", "labels_A", "labels_B", "label_encoding", "shuffle"),
        "on_bad_image",
    ),
    "Image size and augmentation": (
        *("image_size", "load_size", "preprocess", "patch_size", "flip", "interpolation", "antialias"),
    ),
    METHOD: ("train_direction", "layer", "prior_share", "prior_epochs", "drawn_share", "recolored_share"),
    "Schedule and length": (
        *("steps", "epochs", "n_epochs", "n_epochs_decay", "lr_policy", "lr_decay_epochs"),
        *("plateau_factor", "plateau_patience", "plateau_threshold", "epoch_size"),
    ),
    "Optimization": (
        *("lr_G", "lr_D", "n_gen", "n_critic", "fresh_batches", "d_warmup", "pool_size", "ema_decay"),
        *("beta1", "beta2", "rmsprop_decay"),
    ),
    "Losses": (
        *("gan_loss", "lambda_A", "lambda_B", "lambda_cycle", "lambda_L1", "lambda_pairs", "lambda_identity"),
        *("lambda_NCE", "nce_identity", "flip_equivariance", "nce_temperature"),
        *("lambda_adversarial", "reconstruction_loss", "lambda_gp", "gp_epsilon", "clip_value"),
    ),
    "Model": (
        *("netG", "ngf", "depth", "levels", "blocks", "stride", "kernel", "kernel_outer", "norm", "norm_epsilon"),
        *("norm_bottleneck", "halve_odd", "running_statistics", "dropout", "netD", "ndf", "n_layers", "norm_D"),
        *("norm_bias", "spectral_norm", "init", "init_gain", "only", "nce_layers", "nce_patches", "nce_filters"),
    ),
    "Checkpoints and samples": (
        *("save_every", "keep", "keep_every", "sample_every", "log_every", "tensorboard", "on_nan"),
    ),
    "Validation and early stopping": ("eval_every", "select_by", "patience"),
    "Speed and memory": (
        *("device", "batch_size", "accumulate", "threads", "precision", "cache_gb", "tile", "tile_overlap"),
        *("xla", "precise", "tune"),
    ),
    "Several processes": (
        *("local_workers", "workers", "rank", "collective", "start_within", "hung_after", "check_every", "restarts"),
        "allow_public_address",
        *("shard", "merge"),
    ),
    "Input and output": (
        *("input", "output", "format", "direction", "recursive", "skip_existing", "output_size", "suffix"),
        *("quality", "alpha", "web_runtime", "web_gpu"),
    ),
    "Inference": ("scale_to", "self_ensemble", "n_samples", "test_dropout"),
    "Evaluation": ("metrics", "features", "features_ends"),
    "Imported weights": ("source", "channel_order"),
    "Server": ("host", "port", "samples", "report", "queue", "max_mb", "max_pixels"),
    "Debugging": ("debug",),
}
FIRST = {  # the flags of --help without a phase, in a few words
    "dataset": "Folder in datasets/: train/A, train/B, val/A, val/B; or toy",
    "dir_A": "Images of A to train on; no validation images then",
    "dir_B": "Images of B to train on, with --dir_A",
    "run_dir": "Run folder; default: runs/METHOD-DATASET",
    "preset": "Settings to start from, see below",
    "pretrained": "Network to use without a run",
    "train_direction": "Direction to train",
    "layer": "What to remove from images of A",
    "image_size": "Height and width in training, in pixels",
    "batch_size": "Images of each domain in a batch",
    "n_gen": "Generator updates in a step",
    "lr_G": "Learning rate of the generators",
    "steps": "Length in steps, instead of epochs",
    "n_epochs": "Epochs before learning rates decay",
    "n_epochs_decay": "Epochs in which learning rates decay",
    "device": "cpu, gpu, gpu:1; auto: a GPU, if any",
    "input": "Images to translate",
    "output": "Folder to write to",
}
VALUES = {  # what the value of a flag is called, where its type does not say it
    **dict.fromkeys(("run_dir", "data_root", "dir_A", "dir_B"), "FOLDER"),
    **dict.fromkeys(("dataset", "preset", "pretrained"), "NAME"),
    **dict.fromkeys(("input", "output", "features", "web_runtime"), "PATH"),
    **dict.fromkeys(("labels_A", "labels_B"), "FILE"),
    **dict.fromkeys(("range_A", "range_B"), "LOW,HIGH"),
    **{"phase": "PHASE", "download_from": "URL", "init_from": "RUN", "device": "DEVICE", "workers": "HOST:PORT,..."},
    **{"select_by": "METRIC", "metrics": "NAME,...", "features_ends": "IN:0,OUT:0", "source": "FILE,..."},
    **{"checkpoint": "latest|best|STEP", "scale_to": "SIZE", "output_size": "SIZE", "tile_overlap": "N|auto"},
    **{"host": "ADDRESS", "shard": "K/N"},
}


def group_of(name: str) -> str:
    """Returns the title of a setting's group."""
    return next((title for title, names in GROUPS.items() if name in names), METHOD)


def unlisted(names: Iterable[str]) -> list[str]:
    """Returns the names that the table does not list: settings of a method of one's own."""
    return [name for name in names if name not in GROUPS[METHOD] and group_of(name) == METHOD]


def grouped(names: Iterable[str], first: Iterable[str] = ()) -> dict[str, list[str]]:
    """Returns {title: names} in the order of the table, without empty groups; the groups `first` come before others.

    Settings that the table does not list follow the others of METHOD, in their own order.
    """
    names = list(names)
    groups = {}
    for title in dict.fromkeys((*first, *GROUPS)):
        listed = [name for name in GROUPS[title] if name in names]
        if members := [*listed, *unlisted(names)] if title == METHOD else listed:
            groups[title] = members
    return groups
