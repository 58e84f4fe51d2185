"""Runs whose images of A are label maps: trained, resumed, used and exported, with only the values of classes."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from common import report
from common.errors import UserError
from common.evaluate import evaluation
from common.evaluate import test as run_test
from common.export import Export, export
from common.images import Images, files, labels
from common.images.pixels import EIGHT_BITS
from common.run import Run, checkpoint_files
from common.run.folder import load_run
from common.serve import answers
from common.train import plan, train, training
from common.translate import Inference, TiledTranslator, Translator, tiles
from common.translate.jobs import Translation
from common.translate.pipeline import translate
from common.weights import Source, import_weights
from contrastive import Contrastive
from tests import small
from tests.reliability.little.dualgan import DualGAN

RANDOM = np.random.default_rng(0)
PALETTE = np.uint8([[0, 0, 255], [255, 0, 0], [255, 255, 0], [0, 255, 255], [90, 90, 90]])
K = len(PALETTE)

pytestmark = pytest.mark.usefixtures("few_patches")


def draw(folder, kind):
    """Photographs B that follow from label maps A, in files of numbers or as JPEG in colours."""
    for place, count in (("train", 4), ("val", 2)):
        for number in range(count):
            classes = RANDOM.integers(0, K, [3, 4]).repeat(12, 0).repeat(12, 1)
            (folder / place / "A").mkdir(parents=True, exist_ok=True)
            if kind == "jpeg":
                Image.fromarray(PALETTE[classes]).save(folder / place / "A" / f"{number}.jpg", quality=85)
            else:
                Image.fromarray(classes.astype(np.uint8)).save(folder / place / "A" / f"{number}.png")
            photo = PALETTE[classes] // 2 + RANDOM.integers(0, 60, [*classes.shape, 3]).astype(np.uint8)
            files.write(folder / place / "B" / f"{number}.png", photo)


def parts(root, kind, encoding, **fields):
    dual = small.Pointwise(image_size=16, load_size=20, rate=0.01, interpolation="bicubic", antialias=True)
    images = Images(kind, data_root=str(root), labels_A="auto", label_encoding=encoding)
    return dual, images, Run(str(root / f"run-{kind}-{encoding}"), **{"steps": 4, "save_every": 2, **fields})


class Runs(dict):
    """Runs that are trained when they are first asked for."""

    def __init__(self, root):
        super().__init__()
        self.root = root

    def __missing__(self, which):
        kind, encoding = which
        if not (self.root / kind).exists():
            draw(self.root / kind, kind)
        evaluated = {"eval_every": 4} if kind == "numbers" else {}
        self[which] = parts(self.root, kind, encoding, tensorboard=False, **evaluated)
        train(*self[which])
        return self[which]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """{(kind, encoding): (dual, images, run)}, trained for four steps; those of numbers are evaluated at the end."""
    return Runs(tmp_path_factory.mktemp("labels"))


each_run = pytest.mark.parametrize(
    "which",
    [
        ("numbers", "one-hot"),
        pytest.param(("jpeg", "palette"), marks=pytest.mark.thorough),
        pytest.param(("jpeg", "one-hot"), marks=pytest.mark.thorough),
    ],
)


def colours_in(image):
    return {tuple(colour) for colour in image.reshape(-1, image.shape[-1]).tolist()}


def values_of(run):
    return {tuple(value) for value in load_run(run.run_dir).domains["A"].classes.table.tolist()}


@each_run
def test_networks_and_config_have_the_channels_of_the_encoding(runs, which):
    _, _, run = runs[which]
    saved = load_run(run.run_dir)
    domain = saved.domains["A"]
    assert (saved.dual.channels_A, saved.dual.channels_B) == (K if which[1] == "one-hot" else 3, 3)
    assert domain.channels == (1 if which[0] == "numbers" else 3)
    assert domain.classes.encoding == which[1] and domain.classes.count == K
    assert saved.domains["B"] == EIGHT_BITS
    stored = json.loads(run.path("config.json").read_text())["domains"]
    assert "classes" in stored["A"] and "classes" not in stored["B"]
    shapes = checkpoint_files.newest(run.path("checkpoints"))
    with checkpoint_files.reading(shapes) as reader:
        assert reader.shapes["A2B/generator/kernel"] == [1, 1, saved.dual.channels_A, 3]


@each_run
def test_every_file_of_a_label_map_has_only_the_values_of_classes(runs, which, tmp_path):
    """Of testing: inputs, translations and reconstructions; their targets are those that the scores are taken with."""
    dual, images, run = runs[which]
    scores = run_test(run.run_dir, dual, images, output=str(tmp_path / "test"))
    values = values_of(run)
    for folder in ("A", "B2A", "A2B2A"):
        for path in sorted((tmp_path / "test" / folder).glob("*.png")):
            pixels = files.decode(path).pixels
            assert pixels.shape[-1] == len(next(iter(values))) and colours_in(pixels) <= values
    palette = np.array(sorted(values), np.uint8)
    for name in scores["B2A"]:
        assert not name.startswith("input_") or scores["B2A"][name] is None
    real, fake = (
        [palette_numbers(files.decode(tmp_path / "test" / folder / f"{n}.png").pixels, palette) for n in range(2)]
        for folder in ("A", "B2A")
    )
    table = sum(labels.confusion(x, y, K) for x, y in zip(fake, real))
    assert scores["B2A"]["mean_iou"] == pytest.approx(labels.scores(table)["mean_iou"])
    assert scores["B2A"]["pixel_accuracy"] == pytest.approx(np.mean(np.array(fake) == np.array(real)))


def palette_numbers(pixels, palette):
    return ((pixels[..., None, :].astype(int) - palette) ** 2).sum(axis=-1).argmin(axis=-1)


@each_run
def test_translated_files_arrays_and_tiles_are_the_same_label_maps(runs, which, tmp_path):
    """Also at another size than the photograph's; and as PNG, though the photographs are JPEG."""
    _, _, run = runs[which]
    photo = RANDOM.integers(0, 256, [37, 30, 3], np.uint8)
    files.write(tmp_path / "in" / "0.jpg", photo)
    photo = files.read(tmp_path / "in" / "0.jpg")
    with Translator(run.run_dir) as translator:
        whole = translator("B2A", photo)
        assert whole.shape == (37, 30, translator.target("B2A").channels) and colours_in(whole) <= values_of(run)
        larger = translator("B2A", photo, (74, 60))
        np.testing.assert_array_equal(larger, whole.repeat(2, 0).repeat(2, 1))
        options = Translation(str(tmp_path / "in"), str(tmp_path / "out"))
        outcome = translate(translator, "B2A", options.jobs(domain=translator.target("B2A")), options)
        assert outcome.changed == {".jpg as .png": 1}
        np.testing.assert_array_equal(files.decode(tmp_path / "out" / "0.png").pixels, whole)
        mask = translator.source("A2B").classes.table[RANDOM.integers(0, K, [37, 30])]
        forth = translator("A2B", mask)
    with TiledTranslator(run.run_dir, 24, 4) as tiled:
        differing = (tiled("B2A", photo) != whole).any(axis=-1)
        assert differing.mean() < 0.01  # where two classes are as likely, up to rounding
        np.testing.assert_allclose(tiled("A2B", mask).astype(int), forth, atol=1)
    with pytest.raises(UserError, match=r"\.jpg cannot store the output, which is label maps, without loss. Use \.png"):
        Translation(str(tmp_path / "in"), str(tmp_path / "out"), format="jpg").jobs(
            domain=load_run(run.run_dir).domains["A"]
        )


@pytest.mark.thorough
def test_statistics_of_large_label_maps_come_from_a_copy_without_mixed_colours(runs, monkeypatch):
    """Of each block of 3x3 pixels the middle; the copy of a photograph has their mean."""
    _, _, run = runs["jpeg", "palette"]
    monkeypatch.setattr(tiles, "WHOLE", 200)
    image = RANDOM.integers(0, 256, [36, 48, 3], np.uint8)
    with TiledTranslator(run.run_dir, 24, 4) as tiled:
        np.testing.assert_array_equal(tiled._to_measure(image, are_labels=True), image[1::3, 1::3][:12, :16])
        means = image.reshape(12, 3, 16, 3, 3).mean(axis=(1, 3))
        np.testing.assert_array_equal(tiled._to_measure(image), np.rint(means))


@pytest.mark.thorough
def test_noise_of_jpeg_in_an_input_changes_nothing(runs):
    _, _, run = runs["jpeg", "one-hot"]
    with Translator(run.run_dir, Inference(scale_to="24")) as translator:
        table = translator.source("A2B").classes.table
        clean = table[RANDOM.integers(0, K, [20, 24])]
        noisy = np.clip(clean.astype(int) + RANDOM.integers(-20, 21, clean.shape), 0, 255).astype(np.uint8)
        np.testing.assert_array_equal(translator("A2B", noisy), translator("A2B", clean))


@pytest.mark.thorough
@pytest.mark.parametrize("which", [("numbers", "one-hot"), ("jpeg", "palette")])
def test_a_resumed_training_is_the_same_bit_for_bit(runs, which, tmp_path):
    """Also with the palette in a file, if it has the same classes; not with others."""
    _, images, run = runs[which]
    dual, _, _ = parts(tmp_path, *which)
    again = dataclasses.replace(run, run_dir=str(tmp_path / "run"))
    for steps in (2, 4):
        train(dual, images, dataclasses.replace(again, steps=steps))
    whole, resumed = (checkpoint_files.newest(path.path("checkpoints")) for path in (run, again))
    with checkpoint_files.reading(whole) as one, checkpoint_files.reading(resumed) as other:
        assert one.shapes == other.shapes
        for name in one.shapes:
            np.testing.assert_array_equal(one.value(name), other.value(name), name)
    assert run.path("log.csv").read_text().splitlines()[0] == again.path("log.csv").read_text().splitlines()[0]
    classes = load_run(run.run_dir).domains["A"].classes
    same, others = tmp_path / "same.txt", tmp_path / "others.txt"
    rows = [" ".join(map(str, row.repeat(3) if len(row) == 1 else row)) for row in classes.table]
    same.write_text("\n".join(rows))
    others.write_text("\n".join(rows[1:]))
    train(dual, dataclasses.replace(images, labels_A=str(same)), dataclasses.replace(again, steps=5))
    with pytest.raises(UserError, match=r"--labels_A .*others.txt has other classes than the run was trained with: 4"):
        train(dual, dataclasses.replace(images, labels_A=str(others)), dataclasses.replace(again, steps=6))
    other = "palette" if which[1] == "one-hot" else "one-hot"
    with pytest.raises(UserError, match=f"trained with --label_encoding {which[1]}, but --label_encoding {other} was"):
        train(dual, dataclasses.replace(images, label_encoding=other), dataclasses.replace(again, steps=6))


def test_strips_and_reports_show_colours(runs):
    """The run of numbers has the colours of their classes, which files do not hold."""
    _, _, run = runs["numbers", "one-hot"]
    palette = {tuple(colour) for colour in load_run(run.run_dir).domains["A"].classes.palette.tolist()}
    strip = files.read(run.path("samples", "00000000.png"))
    real, fake = strip[:16, :16], strip[:16, 20:36]
    assert colours_in(real) <= palette and len(colours_in(real)) > 1
    assert strip[0, 18].tolist() == [255] * 3 and not colours_in(fake) <= palette  # A2B is a photograph
    source = report.tested.Source(run.path("samples", "00000000.png"))
    assert report.pictures.picture(source, report.pictures.SIZES[0])
    config = json.loads(run.path("config.json").read_text())
    classes = report.pictures.classes(config, "A")
    assert classes.values == load_run(run.run_dir).domains["A"].classes.values
    assert report.pictures.classes(config, "B") is None
    shown = report.pictures._eight_bits(np.uint8([[[0], [1], [4]]]), source._replace(classes=classes))
    assert shown.tolist() == [[[0, 0, 0], [128, 0, 0], [0, 0, 128]]]


@pytest.mark.thorough
@pytest.mark.parametrize("which", [("numbers", "one-hot"), ("jpeg", "palette")])
def test_an_export_takes_and_gives_label_maps_and_says_so(runs, which, tmp_path, monkeypatch):
    """Its code, run as written; noise in its input changes nothing."""
    _, images, run = runs[which]
    exported = export(run.run_dir, Export("savedmodel", output=str(tmp_path / "out")), images)
    assert exported.kept and not exported.removed
    units = {difference.ported.name: difference.unit for difference in exported.kept}
    assert units["B2A"] == units["B2A_bytes"] == "of another class" and units["B2A_float"] == "of [-1, 1]"
    text = (tmp_path / "out" / "README.md").read_text()
    assert f"Images of A are label maps of {K} classes (0: " in text
    assert ("one-hot, 5 channels: 1 in that of its class" in text) == (which[1] == "one-hot")
    monkeypatch.chdir(tmp_path / "out")
    table = load_run(run.run_dir).domains["A"].classes.table
    mask = table[RANDOM.integers(0, K, [16, 20])]
    files.write("photo.png", mask)
    exec(text.split("```python\n")[1].split("```")[0], {})  # of A2B
    with Translator(run.run_dir) as translator:
        np.testing.assert_allclose(files.read("translated.png").astype(int), translator("A2B", mask), atol=1)


@each_run
def test_the_code_for_networks_without_pixels_gives_the_same_codes(runs, which):
    from common.export import label_code
    from common.images import tensors

    domain = load_run(runs[which][2].run_dir).domains["A"]
    image = RANDOM.integers(0, 256, [1, 7, 9, domain.channels], np.uint8)
    translated = RANDOM.normal(size=[1, 7, 9, domain.inner_channels]).astype(np.float32)
    scope = {"np": np, "image": image, "translated": translated}
    exec(label_code.encoded(domain.classes) + "\n" + label_code.decoded(domain.classes), scope)
    with small.session_of_a_run() as session:
        coded = session.run(tensors.from_pixels(image, domain))
        pixels = session.run(tensors.to_pixels(translated, domain))[0]
    np.testing.assert_allclose(scope["image"], coded, atol=1e-6)
    np.testing.assert_array_equal(scope["pixels"], pixels)


def test_a_plan_counts_the_channels_of_classes(runs):
    _, images, run = runs["numbers", "one-hot"]
    dual = DualGAN(image_size=16, depth=2, ngf=2, ndf=2, gan_loss="lsgan")
    planned = plan.plan(dual, images, dataclasses.replace(run, run_dir="none"), timed=1)
    outputs = {network.name: network.output for network in planned.networks}
    assert outputs["B2A generator"] == (16, 16, K) and outputs["A2B generator"] == (16, 16, 3)


def test_methods_that_need_equal_channels_name_the_other_encoding(runs):
    _, images, _ = runs["numbers", "one-hot"]
    dual = Contrastive(image_size=64)
    with pytest.raises(UserError, match=r"--channels_A 5 and --channels_B 3 differ.* Or use --label_encoding palette"):
        images.fitted(dual, images.training_files(dual))
    fitted = dataclasses.replace(images, label_encoding="palette").fitted(dual, images.training_files(dual))
    assert (fitted.channels_A, fitted.channels_B) == (3, 3)


@pytest.mark.thorough
def test_labels_given_after_training_only_score(runs, tmp_path):
    """As in earlier versions; and `none` trains as they did."""
    dual, images, run = runs["jpeg", "palette"]
    plain = dataclasses.replace(images, labels_A="")
    again = dataclasses.replace(run, run_dir=str(tmp_path / "run"), eval_every=0, steps=2)
    train(dual, plain, again)
    assert load_run(again.run_dir).domains["A"].classes is None
    means = evaluation.evaluate(again.run_dir, dual, images)[2]
    assert 0.0 <= means["B2A"]["mean_iou"] <= 1.0 and means["B2A"]["input_l1"] is not None
    unchanged = dataclasses.replace(again, run_dir=str(tmp_path / "none"))
    train(dual, dataclasses.replace(images, label_encoding="none"), unchanged)
    newest = [checkpoint_files.newest(path.path("checkpoints")) for path in (again, unchanged)]
    with checkpoint_files.reading(newest[0]) as one, checkpoint_files.reading(newest[1]) as other:
        assert all((one.value(name) == other.value(name)).all() for name in one.shapes)


def test_a_training_warns_of_one_hot_fakes(runs, caplog):
    """Of the direction that makes them, and not if label maps are only inputs."""
    _, _, run = runs["numbers", "one-hot"]
    training._describe(load_run(run.run_dir).domains, ["A2B", "B2A"])
    (warning,) = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert warning.startswith("warning: B2A makes one-hot label maps.")
    caplog.clear()
    training._describe(load_run(run.run_dir).domains, ["A2B"])
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_a_range_of_values_is_refused_for_label_maps():
    with pytest.raises(UserError, match="--range_A has no meaning for label maps, which --labels_A makes"):
        Images("set", labels_A="auto", range_A="0,1")
    Images("set", labels_A="auto", range_B="0,1")


def test_a_check_names_files_with_values_of_no_class(tmp_path):
    draw(tmp_path / "numbers", "numbers")
    dual, images, _ = parts(tmp_path, "numbers", "one-hot")
    sets = images.all_files(dual)
    assert [finding for finding in images.check(dual, sets).findings if finding.kind in ("classes", "channels")] == []
    stray = tmp_path / "numbers" / "val" / "A" / "1.png"
    files.write(stray, np.full([36, 48, 1], 77, np.uint8))
    (finding,) = (finding for finding in images.check(dual, sets).findings if finding.kind == "classes")
    assert not finding.error and [source.path for source in finding.sources] == [stray]
    assert "has 100% of its pixels, away from edges, far from all 5 classes" in finding.about
    palette = tmp_path / "palette.txt"
    palette.write_text("0 0 0\n")
    broken = dataclasses.replace(images, labels_A=str(palette))
    (finding,) = (finding for finding in broken.check(dual, sets).findings if finding.kind == "classes")
    assert finding.error and "is not a valid palette" in finding.about


@pytest.mark.thorough
def test_classes_stay_with_exported_weights_and_can_be_given_with_others(runs, tmp_path):
    _, images, run = runs["jpeg", "one-hot"]
    exported = tmp_path / "out"
    export(run.run_dir, Export("npz", output=str(exported)), images)
    again = Run(str(tmp_path / "run"))
    import_weights(small.Pointwise, Source(str(exported / "weights.npz")), again, Images("none"))
    before, after = load_run(run.run_dir), load_run(again.run_dir)
    assert after.domains == before.domains and after.dual.channels_A == K
    palette = tmp_path / "palette.txt"
    palette.write_text("\n".join(" ".join(map(str, row)) for row in PALETTE))
    for channels, encoding in ((K, "one-hot"), (3, "palette")):
        given = Images("none", labels_B=str(palette), label_encoding=encoding)
        named = given.with_classes({"A": EIGHT_BITS, "B": dataclasses.replace(EIGHT_BITS, channels=channels)})
        assert named["A"] == EIGHT_BITS and named["B"].inner_channels == channels
        assert named["B"].classes.table.tolist() == PALETTE.tolist()
    with pytest.raises(UserError, match=r"The weights have 3 channels for B, but .*palette.txt makes its images label"):
        Images("none", labels_B=str(palette), label_encoding="one-hot").with_classes({"B": EIGHT_BITS})
    with pytest.raises(UserError, match=r"--labels_B auto needs images, but weights come without. Use a palette file"):
        Images("none", labels_B="auto").with_classes({"B": EIGHT_BITS})


def test_a_server_answers_photographs_in_jpeg_with_label_maps_in_png(runs, tmp_path):
    _, _, run = runs["numbers", "one-hot"]
    files.write(tmp_path / "photo.jpg", RANDOM.integers(0, 256, [20, 24, 3], np.uint8))

    class Decoder:
        decode = staticmethod(files.decode)

    with Translator(run.run_dir) as translator:
        answer = answers.answer(translator, "B2A", (tmp_path / "photo.jpg").read_bytes(), Decoder())
        expected = translator("B2A", files.read(tmp_path / "photo.jpg"))
    assert answer.suffix == ".png"
    (tmp_path / "answer.png").write_bytes(answer.content)
    np.testing.assert_array_equal(files.decode(tmp_path / "answer.png").pixels, expected)


def test_runs_of_earlier_versions_only_score_with_labels(runs, tmp_path):
    """Their config.json has labels, and neither their encoding nor the classes of domains."""
    _, _, run = runs["jpeg", "palette"]
    config = json.loads(run.path("config.json").read_text())
    del config["images"]["label_encoding"], config["domains"]["A"]["classes"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    saved = load_run(tmp_path)
    assert saved.images.labels_A == "auto" and saved.images.label_encoding == "none"
    assert saved.domains["A"] == EIGHT_BITS and Images("set").label_encoding == "palette"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"values": "00 01"}, "has 2 values and 5 colours"),
        ({"colours": "0000ff"}, "domains.A.classes.colours"),
        ({"encoding": "gray"}, "domains.A.classes.encoding"),
        ({"values": "00 01 02 03 04"}, "has values of 1 channels of uint8, unlike domains.A"),
    ],
)
def test_classes_that_contradict_themselves_are_refused(runs, change, problem, tmp_path):
    config = json.loads(runs["jpeg", "palette"][2].path("config.json").read_text())
    config["domains"]["A"]["classes"] |= change
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=problem):
        load_run(tmp_path)
