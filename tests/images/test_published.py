"""Published sets in whole sentences, as they are listed and described."""

import pytest

from common.errors import UserError
from common.images import catalogue

FACADES = """\
facades: facades of buildings and their labels: 400 pairs to train on, of the CMP Facade Database.
  Source:  https://github.com/phillipi/pix2pix, of Isola et al., CVPR 2017, arXiv:1611.07004
  Terms:   its page states none, and asks you to cite those who collected it: ask them before you publish.
  Folder:  train/ and val/ or test/, each file the image of A on the left and its partner of B on the right \
(--side_by_side)
  Address: https://efrosgans.eecs.berkeley.edu/pix2pix/datasets/facades.tar.gz (29 MB), not checked for this release
  By hand: There is a copy at https://www.kaggle.com/vikramtiwari/pix2pix-dataset. The original photographs and labels \
are at https://cmp.felk.cvut.cz/~tylecr1/facade/. The dataset's page is \
https://efrosgans.eecs.berkeley.edu/pix2pix/datasets/."""
HORSES = """\
horse2zebra: horses and zebras, of ImageNet: 1,067 and 1,334 to train on, 120 and 140 to test on.
  Source:  https://junyanz.github.io/CycleGAN, of Zhu et al., ICCV 2017, arXiv:1703.10593
  Terms:   its page states none, and asks you to cite those who collected it: ask them before you publish.
  Folder:  trainA/, trainB/, testA/ and testB/
  Address: https://efrosgans.eecs.berkeley.edu/cyclegan/datasets/horse2zebra.zip (111 MiB), not checked for this release
  By hand: There are copies at https://www.kaggle.com/suyashdamle/cyclegan. The dataset's page is \
https://efrosgans.eecs.berkeley.edu/cyclegan/datasets/."""
OIL = """\
oil-chinese: oil paintings and Chinese paintings.
  Source:  https://github.com/duxingren14/DualGAN, of Yi et al., ICCV 2017, arXiv:1704.02510
  Terms:   its page states none: ask its authors before you publish.
  Folder:  train/A, train/B, val/A and val/B
  By hand: It was at http://www.cs.mun.ca/~yz7241/dualgan/dataset/oil-chinese.zip, which was no longer available in \
April 2025 (https://github.com/duxingren14/DualGAN/issues/1). No copy is known: ask its authors at \
https://github.com/duxingren14/DualGAN."""


@pytest.mark.parametrize("text", [FACADES, HORSES, OIL], ids=["facades", "horse2zebra", "oil-chinese"])
def test_a_set_is_described_in_a_few_lines(text):
    assert catalogue.about(text.partition(":")[0]) == text


@pytest.mark.parametrize("name", catalogue.SETS)
def test_a_set_is_where_its_name_says(name):
    """Of no other name: each collection has a folder of archives, except for what is not given away."""
    entry = catalogue.SETS[name]
    archive = {
        "pix2pix": f"https://efrosgans.eecs.berkeley.edu/pix2pix/datasets/{name}.tar.gz",
        "CycleGAN": f"https://efrosgans.eecs.berkeley.edu/cyclegan/datasets/{name}.zip",
        "DualGAN": f"http://www.cs.mun.ca/~yz7241/dualgan/dataset/{name}.zip",
    }.get(entry.source.partition(",")[0].rpartition("/")[2])
    if entry.address or archive is None:
        assert entry.address == archive
    else:
        assert entry.alternative.startswith(f"It was at {archive}, which ")
    assert " " in entry.description and " " not in name
    assert entry.size.endswith(("MB", "GB", "MiB")) == (entry.address is not None)


def test_the_maps_are_of_unstated_terms_and_the_checked_address_is_said_to_be_so(monkeypatch):
    entry = catalogue.SETS["maps"]
    assert entry.terms == "its page states none: ask its authors before you publish"
    monkeypatch.setitem(catalogue.SETS, "maps", entry._replace(checked=True))
    line = "  Address: https://efrosgans.eecs.berkeley.edu/pix2pix/datasets/maps.tar.gz (239 MB)"
    assert catalogue.about("maps").splitlines()[4] == line


def test_the_listing_has_columns_as_wide_as_the_longest_name():
    lines = {line.split()[0]: line for line in catalogue.listing().splitlines()}
    assert len(lines) == 22
    horses = "horses and zebras, of ImageNet: 1,067 and 1,334 to train on, 120 and 140 to test on"
    assert lines["horse2zebra"] == f"horse2zebra              111 MiB  {horses}"
    yosemite = "Yosemite in summer and in winter, of Flickr: 1,231 and 962 to train on, 309 and 238 to test on"
    assert lines["summer2winter_yosemite"] == f"summer2winter_yosemite   127 MiB  {yosemite}"
    assert lines["oil-chinese"] == "oil-chinese              by hand  oil paintings and Chinese paintings"
    assert {line[22:24] + line[32:34] for line in lines.values()} == {" " * 4}


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("E2photo", " Did you mean monet2photo or ae_photos or ukiyoe2photo?"),  # 14 of 18, 12 of 16, 14 of 19
        ("photographs", " Did you mean ae_photos?"),  # 12 of 20
        ("photographies", ""),  # 12 of 22
    ],
)
def test_the_three_most_similar_names_are_suggested(name, suggestion):
    """Those of which three fifths of the letters, of both names, are the same in the same order."""
    with pytest.raises(UserError) as error:
        catalogue.entry_of(name)
    known = "facades, maps, edges2shoes, edges2handbags, night2day, cityscapes, apple2orange, summer2winter_yosemite,"
    assert str(error.value).startswith(
        f"Unknown published dataset {name!r}.{suggestion} Must be one of {known} horse2zebra, "
    )
    assert str(error.value).endswith(", plastic-metal, plastic-wood.")
