"""A walk over validation images: batches, shards, partners and progress, with a session that gives numbers."""

import contextlib
import pathlib
import types

import numpy as np
import pytest

from common.evaluate import walk
from common.evaluate.walk import EvaluationGraph, Native
from tests import small


class Session:
    """Gives batches of the images whose numbers it is given, each of its number; converts by adding a hundred."""

    def __init__(self, numbers, size):
        self.batches, self.ran = [numbers[at : at + size] for at in range(0, len(numbers), size)], []

    def run(self, fetches, fed=None):
        if fed:
            ((name, image),) = fed.items()
            self.ran.append((fetches, name))
            return image + np.uint8(100)
        self.ran.append(fetches)
        if fetches == "begin":
            return None
        number, images, priors = fetches
        assert (number, images) == ("numbers", {"A": "real", "A2B": "fake"})
        batch = self.batches.pop(0)
        real = np.array(batch)[:, None, None, None] * np.ones([1, 2, 2, 3])
        return batch, {"A": real, "A2B": real + 10}, [real + 20 for _ in priors]


def loader(domain, names, shape=(2, 2, 3), classes=False):
    notes = []
    return types.SimpleNamespace(
        paths=[pathlib.Path(domain, f"{name}.png") for name in names],
        read=lambda path: np.full(shape, names.index(path.stem), np.uint8),
        domain=types.SimpleNamespace(classes=classes),
        notices=types.SimpleNamespace(say=lambda path, said: notes.append((path, said))),
        notes=notes,
        failures=[],
    )


@pytest.fixture
def bars(monkeypatch):
    """The progress bars that are shown: what each is of, and how many images it has counted."""
    shown = []

    def bar(**options):
        shown.append([options, 0])
        counting = types.SimpleNamespace(update=lambda: shown[-1].__setitem__(1, shown[-1][1] + 1))
        return contextlib.nullcontext(counting)

    monkeypatch.setattr(walk.progress, "bar", bar)
    return shown


def graph_of(source, target, *, shard=(1, 1), batch_size=2, prior=None, dual=None):
    return EvaluationGraph(
        *("A2B", source, target, shard, batch_size, "begin", "numbers", {"A": "real", "A2B": "fake"}),
        as_target=Native("an image of B", "as target"),
        as_source=Native("an image of A", "as source"),
        prior=prior,
        dual=dual or small.Gain(),
    )


@pytest.mark.parametrize(
    ("shard", "batch_size", "numbers", "batches"),
    [
        ((1, 1), 2, [0, 1, 2, 3, 4], 3),
        ((1, 1), 5, [0, 1, 2, 3, 4], 1),
        ((1, 1), 6, [0, 1, 2, 3, 4], 1),
        ((1, 1), 1, [0, 1, 2, 3, 4], 5),
        ((2, 2), 1, [1, 3], 2),
        ((1, 2), 2, [0, 2, 4], 2),
    ],
)
def test_every_image_of_a_shard_is_given_once_and_counted(bars, shard, batch_size, numbers, batches):
    session = Session(numbers, batch_size)
    graph = graph_of(loader("A", "vwxyz"), loader("B", []), shard=shard, batch_size=batch_size)
    walked = list(walk.walk(session, graph))
    assert [each.path.stem for each in walked] == ["vwxyz"[number] for number in numbers]
    for number, each in zip(numbers, walked):
        assert (each.images["A"] == number).all() and (each.images["A2B"] == number + 10).all()
        assert each.images["A"].shape == (2, 2, 3)
        assert each.target is each.untouched is each.prior is None
    assert session.ran == ["begin", *[["numbers", {"A": "real", "A2B": "fake"}, []]] * batches]
    assert bars == [[{"total": len(numbers), "desc": "A2B", "unit": "image", "leave": False}, len(numbers)]]


def test_the_image_of_a_classical_method_is_that_of_its_input(bars):
    graph = graph_of(loader("A", "vwx"), loader("B", []), prior="prior")
    walked = list(walk.walk(Session([0, 1, 2], 2), graph))
    assert [each.prior[0, 0, 0] for each in walked] == [20, 21, 22]


def test_a_partner_is_compared_with_and_so_is_the_input_in_its_channels(bars):
    """B has w, as gray: RGB of equal values has the same luminance."""
    session = Session([0, 1], 2)
    graph = graph_of(loader("A", "vw"), loader("B", "qw", (2, 2, 1)))
    alone, pair = walk.walk(session, graph)
    assert alone.target is alone.untouched is None
    assert pair.target.tolist() == pair.untouched.tolist() == np.full([2, 2, 1], 101).tolist()
    assert session.ran[-2:] == [("as source", "an image of A"), ("as target", "an image of B")]


@pytest.mark.parametrize(("of_A", "of_B"), [(True, False), (False, True)])
def test_a_label_map_is_not_compared_with_its_photograph(bars, of_A, of_B):
    graph = graph_of(loader("A", "v", classes=of_A), loader("B", "v", classes=of_B))
    (pair,) = walk.walk(Session([0], 2), graph)
    assert pair.untouched is None and pair.target.shape == (2, 2, 3)


def test_pairs_of_other_parts_of_a_scene_are_told_of_and_not_compared(bars):
    """Crops of images of other sizes lie at other places."""
    source, target = loader("A", "v"), loader("B", "v", (2, 4, 3))
    dual = small.Gain(image_size=2, preprocess="crop")
    (pair,) = walk.walk(Session([0], 2), graph_of(source, target, dual=dual))
    assert pair.target is pair.untouched is None
    said = "and B/v.png are 2x2 and 2x4, but --preprocess crop crops both at the same place: they are not compared"
    assert source.notes == [(pathlib.Path("A/v.png"), [("pair sizes", said)])]


def test_targets_are_those_of_a_shard_in_their_order(bars):
    graph = graph_of(loader("A", []), loader("B", "vwxyz"), shard=(2, 2))
    assert [image[0, 0, 0] for image in walk.targets(Session([], 1), graph)] == [101, 103]


@pytest.mark.parametrize(("folder", "is_target"), [("A2B", True), ("A2B_2", True), ("A", False), ("A2B2A", False)])
def test_folders_of_translations_have_the_domain_of_the_target(folder, is_target):
    source, target = (types.SimpleNamespace(domain=name) for name in ("source", "target"))
    assert graph_of(source, target).domain(folder) == ("target" if is_target else "source")
