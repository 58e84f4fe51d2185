"""A catalogue of published datasets: contents, terms of use and addresses."""

from __future__ import annotations

import difflib
import pathlib
from typing import NamedTuple

from common.errors import UserError


class Published(NamedTuple):
    """A published dataset, as its source describes it."""

    description: str
    source: str  # the page and the paper
    terms: str
    layout: str  # of the archive, and of a folder prepared by hand
    alternative: str  # where to get it if `address` does not answer
    address: str | None = None  # the last one known; None: it is gone, or was never public
    size: str = "of unknown size"  # of the archive
    sha256: str | None = None  # of the archive at `address`, as published by `digest_by`
    digest_by: str = ""
    side_by_side: bool = False
    checked: bool = False  # whether `address` answered at the time of this release


UNSTATED = "its page states none: ask its authors before you publish"
CITE = "its page states none, and asks you to cite those who collected it: ask them before you publish"
MADE_PAIRS = "train/ and val/ or test/, each file the image of A on the left and its partner of B on the right"
MADE_DOMAINS = "trainA/, trainB/, testA/ and testB/"
MADE_DUAL = "train/A, train/B, val/A and val/B"
TFDS = "TensorFlow Datasets (url_checksums/cycle_gan.txt)"


def _pix2pix(name: str, description: str, size: str, alternative: str = "", terms: str = CITE) -> Published:
    """The entry of a pix2pix dataset."""
    return Published(
        description,
        source="https://github.com/phillipi/pix2pix, of Isola et al., CVPR 2017, arXiv:1611.07004",
        terms=terms,
        layout=MADE_PAIRS,
        alternative=f"{alternative}The dataset's page is https://efrosgans.eecs.berkeley.edu/pix2pix/datasets/.",
        address=f"https://efrosgans.eecs.berkeley.edu/pix2pix/datasets/{name}.tar.gz",
        size=size,
        side_by_side=True,
    )


def _cyclegan(
    name: str, description: str, size: str, sha256: str | None = None, layout: str = MADE_DOMAINS
) -> Published:
    """The entry of a CycleGAN dataset."""
    return Published(
        description,
        source="https://junyanz.github.io/CycleGAN, of Zhu et al., ICCV 2017, arXiv:1703.10593",
        terms=CITE,
        layout=layout,
        alternative="There are copies at https://www.kaggle.com/suyashdamle/cyclegan."
        " The dataset's page is https://efrosgans.eecs.berkeley.edu/cyclegan/datasets/.",
        address=f"https://efrosgans.eecs.berkeley.edu/cyclegan/datasets/{name}.zip",
        size=size,
        sha256=sha256,
        digest_by=TFDS if sha256 else "",
    )


def _dualgan(name: str, description: str, alternative: str) -> Published:
    """The entry of a DualGAN dataset; their archives are no longer available."""
    return Published(
        description,
        source="https://github.com/duxingren14/DualGAN, of Yi et al., ICCV 2017, arXiv:1704.02510",
        terms=UNSTATED,
        layout=MADE_DUAL,
        alternative=f"It was at http://www.cs.mun.ca/~yz7241/dualgan/dataset/{name}.zip, which was no longer available"
        f" in April 2025 (https://github.com/duxingren14/DualGAN/issues/1). {alternative}",
    )


KAGGLE_PAIRS = "There is a copy at https://www.kaggle.com/vikramtiwari/pix2pix-dataset. "
ASK_DUALGAN = "No copy is known: ask its authors at https://github.com/duxingren14/DualGAN."

SETS = {
    "facades": _pix2pix(
        "facades",
        "facades of buildings and their labels: 400 pairs to train on, of the CMP Facade Database",
        "29 MB",
        KAGGLE_PAIRS + "The original photographs and labels are at https://cmp.felk.cvut.cz/~tylecr1/facade/. ",
    ),
    "maps": _pix2pix(
        "maps",
        "aerial photographs and maps: 1,096 pairs to train on, taken from Google Maps",
        "239 MB",
        KAGGLE_PAIRS,
        UNSTATED,
    ),
    "edges2shoes": _pix2pix(
        "edges2shoes",
        "edges and photographs of shoes: 50,000 pairs to train on, of UT Zappos50K",
        "2.0 GB",
        KAGGLE_PAIRS,
    ),
    "edges2handbags": _pix2pix(
        "edges2handbags", "edges and photographs of handbags: 137,000 pairs, of the iGAN project", "8.0 GB"
    ),
    "night2day": _pix2pix(
        "night2day",
        "the same scenes by night and by day: about 20,000 pairs, of the Transient Attributes dataset",
        "1.9 GB",
        "There is a copy in Parquet at https://huggingface.co/datasets/huggan/night2day."
        " The original photographs are at http://transattr.cs.brown.edu/. ",
    ),
    "cityscapes": Published(
        "streets and their labels: 2,975 pairs to train on, of the Cityscapes training set",
        source="https://www.cityscapes-dataset.com",
        terms="for non-commercial purposes such as research, teaching and personal experiments; not to be passed on",
        layout=MADE_PAIRS,
        alternative="Its licence forbids redistribution. Register at https://www.cityscapes-dataset.com, download"
        " gtFine_trainvaltest.zip and leftImg8bit_trainvaltest.zip, and make the pairs with"
        " datasets/prepare_cityscapes_dataset.py of https://github.com/junyanz/pytorch-CycleGAN-and-pix2pix.",
        side_by_side=True,
    ),
    "apple2orange": _cyclegan(
        "apple2orange",
        "apples and oranges, of ImageNet: 995 and 1,019 to train on, 266 and 248 to test on",
        "75 MiB",
        "845a191e9af8926408ea597001cd03a452e3300a1f44a79fe329b3d59f6e3eb8",
    ),
    "summer2winter_yosemite": _cyclegan(
        "summer2winter_yosemite",
        "Yosemite in summer and in winter, of Flickr: 1,231 and 962 to train on, 309 and 238 to test on",
        "127 MiB",
        "167fe1726807a9d22bd106b4a6c0bd7953b688af924ac1bf967439c4961e49f9",
    ),
    "horse2zebra": _cyclegan(
        "horse2zebra",
        "horses and zebras, of ImageNet: 1,067 and 1,334 to train on, 120 and 140 to test on",
        "111 MiB",
        "a74d9d392eecca9966b51287a76ca126af473d9de4f3e8fc0e9cda08fa1730a1",
    ),
    "monet2photo": _cyclegan(
        "monet2photo",
        "Monet's paintings and landscapes, of Wikiart and Flickr: 1,072 and 6,287 to train on, 121 and 751 to test on",
        "291 MiB",
        "88f91b00fc228f97c9411fbf1880ec1d119c98f1722e4cfcfaa2fb35fac05b04",
    ),
    "cezanne2photo": _cyclegan(
        "cezanne2photo",
        "Cezanne's paintings and landscapes, of Wikiart and Flickr: 525 and 6,287 to train on, 58 and 751 to test on",
        "267 MiB",
        "3a6c10ca21f9485862f1cbd707744b9dc258954a04631271d23a3605eeb63cff",
    ),
    "ukiyoe2photo": _cyclegan(
        "ukiyoe2photo",
        "ukiyo-e prints and landscapes, of Wikiart and Flickr: 562 and 6,287 to train on, 263 and 751 to test on",
        "279 MiB",
        "02a2a2fb5ecf425ca1bf86aca7304377da64a2a1d3b86df54eb65e4068bf3b08",
    ),
    "vangogh2photo": _cyclegan(
        "vangogh2photo",
        "Van Gogh's paintings and landscapes, of Wikiart and Flickr: 400 and 6,287 to train on, 400 and 751 to test on",
        "292 MiB",
        "362c3473e70be0944bda08d49d660eafdc2854df55d697835b8186d1d79caaff",
    ),
    "iphone2dslr_flower": _cyclegan(
        "iphone2dslr_flower",
        "flowers by iPhone and by DSLR, of Flickr: 1,812 and 3,325 to train on, 569 and 480 to test on",
        "324 MiB",
        "8fcb5e374d631b107e1d961b8c4cd0a186aa2a4ff3e279923f4c426128de7113",
    ),
    "ae_photos": _cyclegan(
        "ae_photos",
        "photographs by Alexei Efros, to translate with a trained model; not for training",
        "10 MB",
        layout="folders of photographs, without trainA/ and trainB/",
    ),
    "sketch-photo": _dualgan(
        "sketch-photo",
        "faces drawn and photographed, of the CUHK Face Sketch FERET Database",
        "The original database is at http://mmlab.ie.cuhk.edu.hk/archive/cufsf/.",
    ),
    "day-night": _dualgan("day-night", "scenes by day and by night", "A similar dataset is --download night2day."),
    "oil-chinese": _dualgan("oil-chinese", "oil paintings and Chinese paintings", ASK_DUALGAN),
    "leather-fabric": _dualgan("leather-fabric", "surfaces of leather and of fabric", ASK_DUALGAN),
    "metal-stone": _dualgan("metal-stone", "surfaces of metal and of stone", ASK_DUALGAN),
    "plastic-metal": _dualgan("plastic-metal", "surfaces of plastic and of metal", ASK_DUALGAN),
    "plastic-wood": _dualgan("plastic-wood", "surfaces of plastic and of wood", ASK_DUALGAN),
}


def listing() -> str:
    """A table of the datasets, one line each: name, size and description."""
    width = max(map(len, SETS))
    sizes = {name: entry.size if entry.address else "by hand" for name, entry in SETS.items()}
    return "\n".join(f"{name:{width}}  {sizes[name]:>8}  {entry.description}" for name, entry in SETS.items())


def about(name: str) -> str:
    """A description of a dataset in a few lines; raises UserError if the name is unknown."""
    entry = entry_of(name)
    lines = [
        f"{name}: {entry.description}.",
        f"  Source:  {entry.source}",
        f"  Terms:   {entry.terms}.",
        f"  Folder:  {entry.layout}{' (--side_by_side)' if entry.side_by_side else ''}",
    ]
    if entry.address:
        checked = "" if entry.checked else ", not checked for this release"
        lines.append(f"  Address: {entry.address} ({entry.size}){checked}")
    return "\n".join([*lines, f"  By hand: {entry.alternative}"])


def entry_of(name: str) -> Published:
    """Returns the entry of a dataset; raises UserError, with similar names, if the name is unknown."""
    if name in SETS:
        return SETS[name]
    close = difflib.get_close_matches(name.lower(), SETS, n=3, cutoff=0.6)
    suggestion = f" Did you mean {' or '.join(close)}?" if close else ""
    raise UserError(f"Unknown published dataset {name!r}.{suggestion} Must be one of {', '.join(SETS)}.")


def by_hand(entry: Published, folder: pathlib.Path) -> str:
    """Describes where else to get a dataset, and how to lay out its folder."""
    return f"{entry.alternative} Put it into {folder} by hand, as {entry.layout}."
