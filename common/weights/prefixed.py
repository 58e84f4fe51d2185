"""Several networks in one state_dict of PyTorch, distinguished by the prefixes of their names, such as netG_A."""

from __future__ import annotations

import re
from collections.abc import Iterable

from common.errors import UserError
from common.weights import pytorch
from common.weights.recognized import Arrays, Recognized

SEPARATOR = "::"  # between a file and a prefix, in --source
NAMED = re.compile(r"(?:^|[_-]|net)[GD]_([AB])$")  # names of PyTorch's CycleGAN end with G_A, D_A, G_B, D_B
DIRECTIONS = {"A": "A2B", "B": "B2A"}  # of G_A, and of D_A, its critic
OWN = re.compile(r"((?:.*?\.)??)(?:model|net)\.\d+\.")  # a prefix, and the beginning of a layer's name
NESTED = re.compile(r"model\.\d+\.model\.")  # of the blocks of a U-Net, within one more model


def direction_named(name: str) -> str | None:
    """Returns the direction at the end of the name of a file or a network."""
    match = NAMED.search(name)
    return DIRECTIONS[match[1]] if match else None


def recognize(file: str, arrays: Arrays, prefix: str = "", running_statistics: bool = False) -> list[Recognized]:
    """Returns the networks of a state_dict, or the one of a prefix.

    Raises UserError, naming `file`, if one is unknown or the choice is ambiguous.
    """
    arrays = pytorch.unwrapped(file, arrays)
    networks = _split(arrays)
    if prefix and prefix not in networks:
        raise UserError(
            f"{file} has no network {prefix}. It must be one of: {_listed(networks) or 'none with a name'}."
        )
    if prefix:
        networks = {prefix: networks[prefix]}
    recognized = [
        pytorch.recognize(f"{file}{SEPARATOR}{name}" if name else file, own, running_statistics)._replace(
            file=file, direction=direction_named(name)
        )
        for name, own in networks.items()
    ]
    roles = [(network.role, network.direction) for network in recognized]
    unclear = len({*roles}) < len(roles) or any(
        direction is None and sum(role == other for other, _ in roles) > 1 for role, direction in roles
    )
    if unclear:
        example = ",".join(f"{file}{SEPARATOR}{name}" for name in [*networks][:2])
        raise UserError(
            f"{file} has several networks, and their directions are not clear: {_listed(networks)}. Name one,"
            f" or one for each direction, that of A2B first: --source {example}"
        )
    if any(networks) and not prefix and (others := _others(arrays)):
        recognized[0] = recognized[0]._replace(
            note=f"{recognized[0].note} Ignored in {file}, as not of a known network: {', '.join(others)}.".lstrip()
        )
    return recognized


def _others(arrays: Arrays) -> list[str]:
    """Returns the first parts of the names that are not layers of a known network."""
    return list(dict.fromkeys(name.partition(".")[0] for name in arrays if not OWN.match(name)))


def _split(arrays: Arrays) -> dict[str, Arrays]:
    """Returns {prefix: arrays by the network's own names}; without prefixes, all arrays unchanged below ""."""
    networks: dict[str, Arrays] = {}
    for name, array in arrays.items():
        if match := OWN.match(name):
            networks.setdefault(match[1], {})[name.removeprefix(match[1])] = array
    if not any(networks):
        return {"": arrays}
    return dict(_unnested(prefix, own) for prefix, own in networks.items())


def _unnested(prefix: str, arrays: Arrays) -> tuple[str, Arrays]:
    """Removes the dot at the end of a prefix; for a U-Net, moves one `model.` from the prefix to the names."""
    if prefix.endswith("model.") and any(map(NESTED.match, arrays)):
        return _unnested(prefix.removesuffix("model."), {f"model.{name}": array for name, array in arrays.items()})
    return prefix.removesuffix("."), arrays


def _listed(names: Iterable[str]) -> str:
    return ", ".join(name for name in names if name)
