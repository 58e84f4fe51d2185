"""Lines of Python in the README of an export that convert label maps to what its networks see, and back."""

from __future__ import annotations

from common.images.classes import ONE_HOT, Array, Classes


def encoded(classes: Classes) -> str:
    """Returns lines that turn `image`, numbers [N, H, W, 1 or 3], into the codes of classes, float32."""
    return f"""\
values = np.array({_rows(classes.table)})  # of each class
image = ((image[..., None, :].astype(int) - values) ** 2).sum(axis=-1).argmin(axis=-1)  # the nearest
image = {_codes(classes)}[image]"""


def decoded(classes: Classes) -> str:
    """Returns lines that turn `translated`, codes [N, H, W, C], into `pixels`, uint8 [H, W, 1 or 3]."""
    if classes.encoding == ONE_HOT:
        nearest = "translated[0].argmax(axis=-1)  # the highest channel"
    else:
        nearest = f"((translated[0][..., None, :] - {_codes(classes)}) ** 2).sum(axis=-1).argmin(axis=-1)"
    return f"""\
numbers = {nearest}
pixels = np.array({_rows(classes.table)}, np.uint8)[numbers]"""


def note(name: str, classes: Classes) -> str:
    """Returns a note on the label maps of domain `name`."""
    codes = (
        f"one-hot, {classes.count} channels: 1 in that of its class and -1 in the others"
        if classes.encoding == ONE_HOT
        else "the colour of its class, three channels scaled to -1 to 1"
    )
    table = ", ".join(f"{number}: {' '.join(map(str, row))}" for number, row in enumerate(classes.table))
    return (
        f"Images of {name} are label maps of {classes.count} classes ({table}). Pixels of any other value are taken for"
        f" the nearest class. Networks see each pixel as {codes}. Outputs have only these values. Do not resize label"
        " maps with a filter that mixes colours: use nearest neighbour."
    )


def _codes(classes: Classes) -> str:
    if classes.encoding == ONE_HOT:
        return f"(2.0 * np.eye({classes.count}) - 1.0).astype(np.float32)"
    return f"(np.array({_rows(classes.palette)}, np.float32) / 127.5 - 1.0)"


def _rows(table: Array) -> str:
    return f"[{', '.join(f'[{chr(44).join(map(str, row))}]' for row in table)}]"
