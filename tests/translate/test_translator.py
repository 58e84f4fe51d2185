"""Translation keeps names, folders, formats and sizes, and one bad file stops no other."""

import concurrent.futures
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import unicodedata
import zlib

import imageio.v3 as imageio
import numpy as np
import pytest
from absl import logging
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from common import tensorflow as tf
from common.errors import UserError
from common.evaluate import test as run_test
from common.images import Images, files, tensors
from common.images.pixels import EIGHT_BITS
from common.translate import Inference, Translator, pipeline
from common.translate.jobs import Job, Translation
from common.translate.pipeline import translate
from pix2pix import Pix2Pix
from tests import small

RANDOM = np.random.default_rng(0)

pytestmark = pytest.mark.usefixtures("few_patches", "one_block")


def image(height=24, width=37, channels=3):
    return RANDOM.integers(0, 256, [height, width, channels], np.uint8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, one_block):
    """{name: run folder}: a DualGAN, which takes one size, and a pix2pix from RGB to gray, which takes any."""
    root = tmp_path_factory.mktemp("translated")
    for folder in ("train/A", "train/B", "val/A", "val/B"):
        files.write(root / "set" / folder / "0.png", image(40, 36))
    shape = {"image_size": 32, "load_size": 0, "ngf": 2, "ndf": 2, "n_layers": 1}
    any_size = Pix2Pix(**shape, netG="resnet_6blocks", norm="instance", dropout=0.0, channels_B=1, antialias=False)
    for name, dual in (("dualgan", small.dualgan()), ("pix2pix", any_size)):
        small.untrained(root / name, dual, B=dataclasses.replace(EIGHT_BITS, channels=dual.channels_B))
    return {name: str(root / name) for name in ("dualgan", "pix2pix", "set")}


@pytest.fixture(scope="module")
def translator(trained):
    with Translator(trained["pix2pix"]) as translator:
        yield translator


def test_graphs_of_inference_keep_nothing_for_gradients(translator):
    kinds = {operation.type for operation in translator._session.graph.get_operations()}
    assert "Conv2D" in kinds and "IdentityN" not in kinds


def test_noise_of_inference_is_drawn_with_the_seed_of_the_run(trained, tmp_path):
    """The same network, as a run of another seed that was given its weights."""
    translations = []
    for seed in (1, 1, 2):
        run_dir = shutil.copytree(trained["pix2pix"], tmp_path / f"{len(translations)}")
        config = json.loads((run_dir / "config.json").read_text())
        config["run"]["seed"] = seed
        config["dual"]["dropout"] = 0.5
        (run_dir / "config.json").write_text(json.dumps(config))
        with Translator(str(run_dir), test_dropout=True) as translator:
            translations.append(translator("A2B", np.full([32, 32, 3], 100, np.uint8)))
    same, again, other = translations
    np.testing.assert_array_equal(same, again)
    assert np.abs(same.astype(int) - other).mean() > 0


def run(translator, options, **more):
    return translate(translator, "A2B", options.jobs(), options, **more)


def sizes(folder):
    """{path below the folder: (mode, width, height)} of every file."""
    described = {}
    for path in sorted(path for path in pathlib.Path(folder).rglob("*") if path.is_file()):
        with Image.open(path) as opened:
            described[str(path.relative_to(folder))] = (opened.mode, *opened.size)
    return described


@pytest.fixture
def inbox(tmp_path):
    """Images of many kinds, in two folders."""
    below = tmp_path / "in" / "trip.2024"
    below.mkdir(parents=True)
    Image.fromarray(image()).save(tmp_path / "in" / "a.b.v2.jpg")
    Image.fromarray(image(40, 20, 1)[..., 0]).save(tmp_path / "in" / "gray.png")
    Image.fromarray(image(9, 50, 4)).save(tmp_path / "in" / "alpha.tif")
    Image.fromarray(image(3, 2)).quantize(8).save(tmp_path / "in" / "tiny palette.PNG")
    Image.fromarray(image(30, 20)).convert("CMYK").save(below / "cmyk.jpeg")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(image(16, 48)).save(below / "upright.jpg", exif=turned)
    (tmp_path / "in" / "notes.txt").write_text("no image")
    return tmp_path


def test_names_folders_formats_and_sizes_are_kept(inbox, translator):
    outcome = run(translator, Translation(input=str(inbox / "in"), output=str(inbox / "out"), recursive=True))
    assert outcome[:4] == (6, 0, [], {})
    assert sizes(inbox / "out") == {  # gray is what B is; sizes are (width, height)
        "a.b.v2.jpg": ("L", 37, 24),
        "alpha.tif": ("LA", 50, 9),
        "gray.png": ("L", 20, 40),
        "tiny palette.PNG": ("L", 2, 3),
        "trip.2024/cmyk.jpeg": ("L", 20, 30),
        "trip.2024/upright.jpg": ("L", 16, 48),
    }


def test_format_suffix_and_size_are_changed_on_request(inbox, translator):
    options = Translation(
        input=str(inbox / "in" / "*.*"), output=str(inbox / "out"), format="png", suffix="_B", output_size="10x20"
    )
    outcome = run(translator, options)
    assert (outcome.written, [path.name for path, _ in outcome.failed]) == (4, ["notes.txt"])
    expected = {"a.b.v2_B.png": "L", "alpha_B.png": "LA", "gray_B.png": "L", "tiny palette_B.png": "L"}
    assert sizes(inbox / "out") == {name: (mode, 20, 10) for name, mode in expected.items()}


def test_one_file_goes_to_a_file(inbox, translator):
    options = Translation(input=str(inbox / "in" / "gray.png"), output=str(inbox / "new" / "gray.webp"))
    assert run(translator, options).written == 1
    assert Image.open(inbox / "new" / "gray.webp").size == (20, 40)
    with pytest.raises(UserError, match="leave out --suffix and --format"):
        Translation(input=options.input, output=options.output, format="png").jobs()
    with pytest.raises(UserError, match="is a file, but several images need a folder"):
        Translation(input=str(inbox / "in"), output=options.output).jobs()


def test_a_bad_file_stops_no_other(inbox, translator):
    source = inbox / "in"
    (source / "empty.png").write_bytes(b"")
    (source / "cut.jpg").write_bytes((source / "a.b.v2.jpg").read_bytes()[:200])
    (source / "folder.png").mkdir()
    (source / "none.jpg").write_text("no image")
    Image.fromarray(image()).save(source / "z.png")
    outcome = run(translator, Translation(input=str(source), output=str(inbox / "out")))
    assert sorted(path.name for path, _ in outcome.failed) == ["cut.jpg", "empty.png", "none.jpg"]
    assert all(str(path) in sentence for path, sentence in outcome.failed)
    assert outcome.written == 5
    assert "z.png" in sizes(inbox / "out")


def test_a_picture_too_large_to_be_one_is_refused_by_its_header(tmp_path, translator):
    (tmp_path / "in").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "in" / "bomb.png")
    data = bytearray((tmp_path / "in" / "bomb.png").read_bytes())
    data[16:24] = (100_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    (tmp_path / "in" / "bomb.png").write_bytes(data)
    outcome = run(translator, Translation(input=str(tmp_path / "in"), output=str(tmp_path / "out")))
    ((_, sentence),) = outcome.failed
    assert "bomb.png has more than 178,956,970 pixels" in sentence


def test_a_narrow_image_that_padding_would_make_far_larger_is_refused(tmp_path, translator):
    """A line scan of ordinary length is translated, and the refused one stops no other."""
    files.write(tmp_path / "in" / "line.png", image(1, 3000))
    Image.new("RGB", (4_194_304, 1)).save(tmp_path / "in" / "thin.png")
    options = Translation(input=str(tmp_path / "in"), output=str(tmp_path / "out"))
    outcome = run(translator, options)
    ((path, sentence),) = outcome.failed
    assert outcome.written == 1 and path.name == "thin.png"
    assert sentence.startswith(f"{path}: The image has 1x4194304 pixels and would become 8x4194304 for these networks")
    with pytest.raises(UserError, match="would become 8x4194304"):
        translator("A2B", np.zeros([1, 4_194_304, 3], np.uint8))


def test_what_cannot_be_written_is_counted(inbox, translator):
    (inbox / "out").mkdir()
    (inbox / "out" / "trip.2024").write_text("in the way")
    outcome = run(translator, Translation(input=str(inbox / "in"), output=str(inbox / "out"), recursive=True))
    assert outcome.written == 4
    assert sorted(path.name for path, _ in outcome.failed) == ["cmyk.jpeg", "upright.jpg"]


def test_nothing_is_written_twice(inbox, translator):
    (inbox / "in" / "gray.jpg").write_bytes((inbox / "in" / "a.b.v2.jpg").read_bytes())
    with pytest.raises(UserError, match=r"gray\.png would be written twice"):
        Translation(input=str(inbox / "in"), output=str(inbox / "out"), format="png").jobs()
    with pytest.raises(UserError, match="is one of the input images, and would be overwritten"):
        Translation(input=str(inbox / "in"), output=str(inbox / "in")).jobs()
    with pytest.raises(UserError, match="is inside --input"):
        Translation(input=str(inbox / "in"), output=str(inbox / "in" / "out"), recursive=True).jobs()
    assert not (inbox / "out").exists()


def test_no_input_is_written_over_by_another(inbox):
    (inbox / "in" / "gray_B.png").write_bytes((inbox / "in" / "gray.png").read_bytes())
    with pytest.raises(UserError, match=r"gray_B\.png is one of the input images"):
        Translation(input=str(inbox / "in"), output=str(inbox / "in"), suffix="_B").jobs()


@pytest.mark.parametrize("is_folder", [False, True])
def test_no_input_is_written_over_through_a_link(inbox, is_folder):
    if is_folder:
        (inbox / "out").symlink_to(inbox / "in")
    else:
        (inbox / "out").mkdir()
        (inbox / "out" / "gray.png").symlink_to(inbox / "in" / "a.b.v2.jpg")
    with pytest.raises(UserError, match="is one of the input images, and would be overwritten"):
        Translation(input=str(inbox / "in"), output=str(inbox / "out")).jobs()


def test_batches_are_of_one_size_and_change_nothing(tmp_path, translator):
    for number, size in enumerate([(24, 30)] * 3 + [(30, 24)] * 2 + [(24, 30)]):
        files.write(tmp_path / "in" / f"{number}.png", image(*size))
    for batch_size in (1, 2, 8):
        options = Translation(input=str(tmp_path / "in"), output=str(tmp_path / str(batch_size)))
        assert run(translator, options, batch_size=batch_size)[:4] == (6, 0, [], {})
    for number in range(6):
        one, *others = (imageio.imread(tmp_path / folder / f"{number}.png").astype(int) for folder in ("1", "2", "8"))
        assert max(np.abs(one - other).max() for other in others) <= 1


def test_a_pattern_does_not_take_up_what_was_written(inbox, translator):
    options = Translation(input=str(inbox / "in" / "**" / "*.png"), output=str(inbox / "in" / "out"))
    assert [run(translator, options).written for _ in range(2)] == [1, 1]
    assert sizes(inbox / "in" / "out") == {"gray.png": ("L", 20, 40)}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_pattern_fits_names_with_accents_in_either_form(tmp_path, translator, form):
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    name = unicodedata.normalize(other, "café.png")
    files.write(tmp_path / "in" / name, np.zeros([8, 8, 3], np.uint8))
    pattern = tmp_path / "in" / unicodedata.normalize(form, "café*")
    assert run(translator, Translation(input=str(pattern), output=str(tmp_path / "out"))).written == 1


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_pattern_fits_folders_with_accents_in_either_form(tmp_path, form):
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    files.write(tmp_path / unicodedata.normalize(other, "café") / "in" / "a.png", np.zeros([8, 8, 3], np.uint8))
    pattern = tmp_path / unicodedata.normalize(form, "café") / "*" / "*.png"
    (job,) = Translation(input=str(pattern), output=str(tmp_path / "out")).jobs()
    assert job.target == tmp_path / "out" / "in" / "a.png"


def test_an_image_that_the_network_cannot_take_stops_no_other(inbox):
    class Small:
        """Has memory for small images alone."""

        def source(self, direction):
            return EIGHT_BITS

        def __call__(self, direction, images, output_size, first):
            if images.shape[1] > 30:
                raise tf.errors.ResourceExhaustedError(None, None, "Graph execution error:\n\nout of memory\nat length")
            if images.shape[1] < 4:
                raise MemoryError
            return images

    outcome = run(Small(), Translation(input=str(inbox / "in"), output=str(inbox / "out")))
    assert outcome.written == 2
    sentences = {path.name: sentence for path, sentence in outcome.failed}
    assert sentences["gray.png"].endswith("gray.png: TensorFlow reports: out of memory.")
    assert sentences["tiny palette.PNG"].endswith("tiny palette.PNG: there is not enough memory for it.")


def test_what_is_there_is_skipped_on_request(inbox, translator):
    options = Translation(input=str(inbox / "in"), output=str(inbox / "out"), skip_existing=True)
    assert run(translator, options)[:2] == (4, 0)
    before = (inbox / "out" / "gray.png").stat().st_mtime_ns
    (inbox / "out" / "a.b.v2.jpg").unlink()
    assert run(translator, options)[:2] == (1, 3)
    assert (inbox / "out" / "gray.png").stat().st_mtime_ns == before


def test_an_interrupted_translation_among_its_inputs_resumes(inbox, translator):
    options = Translation(input=str(inbox / "in"), output=str(inbox / "in"), suffix="_B", skip_existing=True)
    assert run(translator, options).written == 4
    (inbox / "in" / "gray_B.png").unlink()
    assert run(translator, options)[:2] == (1, 3)


def test_shards_are_all_the_files_once(inbox):
    parts = [
        Translation(input=str(inbox / "in"), output="out", recursive=True, shard=f"{i}/4").jobs() for i in (1, 2, 3, 4)
    ]
    assert [len(part) for part in parts] == [2, 2, 1, 1]
    whole = Translation(input=str(inbox / "in"), output="out", recursive=True).jobs()
    assert [job.number for job in whole] == list(range(6))
    assert sorted(job for part in parts for job in part) == whole


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"output": "x"}, "Missing --input."),
        ({"input": "x"}, "Missing --output."),
        ({"input": "nowhere/*.png", "output": "x"}, "No images in --input nowhere"),
        ({"output_size": "big"}, "--output_size big is not a valid size: must be original, model, or HEIGHTxWIDTH"),
        ({"shard": "5/4"}, "--shard 5/4 is not a valid shard"),
        ({"suffix": "a/b"}, "is not valid in a file name"),
        ({"tile_overlap": "8"}, "--tile_overlap needs --tile"),
        ({"output_size": "99999x99999"}, "exceeds 178,956,970 pixels"),
        ({"input": __file__, "output": "x.gif"}, "has a format that cannot be written"),
        ({"format": "gif"}, "--format gif is not valid: it must be one of keep, jpg"),
    ],
)
def test_what_cannot_be_asked_for(fields, message):
    with pytest.raises(UserError) as error:
        Translation(**fields).jobs()
    assert message in str(error.value)


@pytest.mark.thorough
def test_translating_is_what_testing_does(trained, tmp_path):
    """In the size of the model, DualGAN's translation of a validation image is the tested one."""
    images = Images("set", data_root=str(pathlib.Path(trained["set"]).parent))
    run_test(trained["dualgan"], small.dualgan(), images)
    expected = imageio.imread(pathlib.Path(trained["dualgan"], "test", "A2B", "0.png"))
    with Translator(trained["dualgan"]) as translator:
        source = imageio.imread(pathlib.Path(trained["set"], "val", "A", "0.png"))
        assert np.abs(translator("A2B", source, "model").astype(int) - expected).max() <= 1
        assert translator("A2B", source).shape == (40, 36, 3)
        assert translator("B2A", source, (7, 9)).shape == (7, 9, 3)


def test_an_image_that_fits_is_not_touched_before_the_network(trained, translator):
    """At 32x40 a ResNet needs no margin: the output is the generator's alone."""
    source = image(32, 40)
    reader = tf.train.load_checkpoint(str(next(pathlib.Path(trained["pix2pix"], "checkpoints").glob("*.index")))[:-6])
    with small.session_of_a_run() as session:
        network = translator.dual.network("A2B", "generator")
        output = tensors.to_pixels(network(tensors.from_pixels(tf.constant(source[None])), None))
        for variable in network.variables:
            variable.load(reader.get_tensor(variable.op.name), session)
        expected = session.run(output)[0]
    assert np.abs(translator("A2B", source).astype(int) - expected).max() <= 1


def test_lists_batches_and_threads_give_what_images_alone_give(translator):
    batch = np.stack([image(), image(), image()])
    alone = [translator("A2B", item) for item in batch]
    np.testing.assert_array_equal(translator("A2B", [*batch, image(9, 9)])[1], alone[1])
    assert np.abs(translator("A2B", batch).astype(int) - alone).max() <= 1
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for output, expected in zip(pool.map(lambda item: translator("A2B", item), batch), alone):
            np.testing.assert_array_equal(output, expected)


def test_arrays_of_other_types_and_channels_become_those_of_the_run(translator):
    """Of 8 bits: other unsigned integers by what they hold, floating point from [0, 1]; gray thrice."""
    eight = image(channels=1)
    expected = translator("A2B", np.repeat(eight, 3, axis=-1))
    deep, unit = eight * np.uint16(257), eight / np.float32(255)
    for same in (eight, deep, unit, unit.astype(np.float64)):
        np.testing.assert_array_equal(translator("A2B", same), expected)
    flat = translator("A2B", deep[..., 0])  # [H, W], and the output is gray, too
    np.testing.assert_array_equal(flat, expected[..., 0])


@pytest.mark.thorough
def test_arrays_of_another_scale_are_warned_of_once(trained, monkeypatch):
    warned = []
    monkeypatch.setattr(logging, "warning", warned.append)
    twelve_bits = np.random.default_rng(0).integers(0, 4096, [24, 37, 3], np.uint16)
    with Translator(trained["pix2pix"]) as translator:
        translator("A2B", [image(), np.uint16(257) * image()])
        assert warned == []
        translator("A2B", [twelve_bits, twelve_bits])
        translator("A2B", twelve_bits[None])
    (text,) = warned
    assert text.startswith("warning: The array has values from ") and text.endswith("scale it. (Shown once.)")
    with Translator(trained["pix2pix"], warns=False) as translator:
        translator("A2B", twelve_bits)
    assert len(warned) == 1


def test_arrays_of_another_kind_are_refused(translator):
    for wrong in (image(0, 3), image().astype(complex), np.array([["a"]]), image()[None, None], image()[0, 0]):
        with pytest.raises(UserError, match="A2B takes images of numbers"):
            translator("A2B", wrong)
    with pytest.raises(UserError, match="has 2 channels, but 3 are needed"):
        translator("A2B", image(channels=2))
    for size in ((0, 3), [3], "large", (2.5, 3), ("a", "b")):
        with pytest.raises(UserError, match=r"is not valid: must be original, model or \(height, width\)"):
            translator("A2B", image(), size)
    with pytest.raises(UserError, match="This run has no direction B2A, only A2B"):
        translator("B2A", image())


def test_without_a_run_there_is_no_translator(tmp_path):
    with pytest.raises(UserError, match="There is no trained run in"):
        Translator(str(tmp_path))


def test_a_size_of_ones_own_before_the_network(trained, capsys):
    with Translator(trained["dualgan"], Inference(scale_to="20x24")) as translator:
        assert translator("A2B", image(), "model").shape == (20, 24, 3)
    assert "seen no other size" in capsys.readouterr().err


@hypothesis_settings(max_examples=15, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40))
def test_every_size_comes_back(translator, height, width):
    assert translator("A2B", image(height, width)).shape == (height, width, 1)


@hypothesis_settings(max_examples=12, deadline=None)
@given(height=st.integers(1, 20), width=st.integers(1, 20), multiple=st.sampled_from([1, 4, 16]))
def test_padding_mirrors_as_numpy_does_and_cropping_undoes_it(height, width, multiple):
    x = RANDOM.normal(size=[1, height, width, 2]).astype(np.float32)
    more = [(-(-side // multiple) * multiple - side) for side in (height, width)]
    margins = [(0, 0), *((count // 2, count - count // 2) for count in more), (0, 0)]
    with small.session_of_a_run() as session:
        padded = tensors.pad_to_multiple(tf.constant(x), multiple)
        mirrored, back = session.run([padded, tensors.crop_to(padded, height, width)])
    np.testing.assert_array_equal(mirrored, np.pad(x, margins, "reflect"))
    np.testing.assert_array_equal(back, x)


@pytest.mark.thorough
@pytest.mark.parametrize("which", ["pointwise", "pix2pix"])
def test_a_closed_translator_leaves_no_graph(trained, tmp_path, which):
    run_dir = trained[which] if which in trained else small.untrained(tmp_path / "run", small.Pointwise())

    def use():
        with Translator(run_dir) as translator:
            translator("A2B", np.zeros([32, 32, 3], np.uint8))

    use()
    before = small.graphs()
    use()
    assert small.graphs() == before


def test_in_a_fork_it_is_told_instead_of_waiting_for_ever(trained):
    with Translator(trained["pix2pix"]) as translator:

        def use():
            translator("A2B", np.zeros([32, 32, 3], np.uint8))

        use()
        for attempt in (use, lambda: Translator(trained["pix2pix"])):
            child = os.fork()
            if not child:
                signal.alarm(60)
                try:
                    attempt()
                except UserError as error:
                    os._exit(7 if f"was forked from process {os.getppid()}" in str(error) else 8)
                finally:
                    os._exit(9)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        use()


def test_batches_are_of_consecutive_images_of_one_size_and_large_images_wait_alone():
    def groups(size):
        sides = ((0, 8), (1, 8), (2, 8), (3, 6), (5, 6), (6, 6))  # number, height
        pictures = [(Job(n, None, None), files.Image(np.zeros([side, 4, 3], np.uint8))) for n, side in sides]
        return [[job.number for job, _ in group] for group in pipeline._groups(iter(pictures), size)]

    assert groups(1) == [[0], [1], [2], [3], [5], [6]]
    assert groups(2) == [[0, 1], [2], [3], [5, 6]]
    assert groups(8) == [[0, 1, 2], [3], [5, 6]]
    assert [pipeline._capacity(2**n) for n in (0, 26, 27, 30)] == [8, 4, 2, 1]
