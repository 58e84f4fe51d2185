"""Videos keep their frames, rate, size and sound, and a failure leaves what was there."""

import pathlib
import re
import shutil
import subprocess
import sys
import threading
from fractions import Fraction

import numpy as np
import pytest
from scipy.io import wavfile

from common.errors import UserError
from common.images.pixels import Domain, Image
from common.translate import video
from common.translate.video import translate_video

ffmpeg = pytest.importorskip("imageio_ffmpeg")

NTSC = Fraction(30000, 1001)


class Same:
    """A translator that changes nothing, and remembers what it was given."""

    def __init__(self, channels=3):
        self.count, self.calls = channels, []

    def target(self, direction):
        return Domain(self.count)

    def __call__(self, direction, images, output_size, first):
        assert images.dtype == np.uint8 and images.shape[-1] == 3
        self.calls.append((direction, first, len(images), output_size))
        return self.target(direction).of(Image(images), "The frame")


class Inverted(Same):
    def __call__(self, *arguments):
        return 255 - super().__call__(*arguments)


class Broken(Same):
    """One that fails at a frame."""

    def __init__(self, error, at=5):
        super().__init__()
        self.error, self.at = error, at

    def __call__(self, direction, images, output_size, first):
        if first >= self.at:
            raise self.error
        return images


def colours(count):
    """Distinct colours, uint8 [count, 3]."""
    i = np.arange(count)
    return np.stack([20 + 9 * i, 220 - 7 * i, 60 + 40 * (i % 4)], axis=-1).astype(np.uint8)


def make(path, count=20, width=64, height=48, fps=25, **more):
    """Writes a video whose frames are of one colour each, by the library alone."""
    even = width % 2 == height % 2 == 0
    options = {"pix_fmt_out": "yuv420p" if even else "yuv444p", "quality": 9, "macro_block_size": 1, "codec": "libx264"}
    writer = ffmpeg.write_frames(str(path), (width, height), fps=fps, **{**options, **more})
    writer.send(None)
    for colour in colours(count):
        writer.send(np.broadcast_to(colour, (height, width, 3)).tobytes())
    writer.close()
    return path


def read(path):
    """(the metadata, the frames uint8 [N, H, W, 3]) of a video, by the library alone."""
    frames = ffmpeg.read_frames(str(path))
    about = next(frames)
    width, height = about["size"]
    return about, np.stack([np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in frames])


def run(*options):
    return subprocess.run([ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, options)], capture_output=True)


def times(path):
    """When each frame is shown, in seconds: exact, as the file has it."""
    listed = run("-i", path, "-map", "0:v", "-c", "copy", "-f", "framecrc", "-").stdout.decode()
    unit = Fraction(re.search(r"#tb 0: (\S+)", listed)[1])
    return sorted(int(line.split(",")[2]) * unit for line in listed.splitlines() if line[0] != "#")


def heard(path):
    """The first sound of a file, [samples] of 8 kHz."""
    return np.frombuffer(run("-i", path, "-map", "0:a:0", "-ar", 8000, "-ac", 1, "-f", "s16le", "-").stdout, np.int16)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """A folder with a video in two containers, a tone of 440 Hz and 0.8 seconds, and a video with it."""
    folder = tmp_path_factory.mktemp("videos")
    run("-i", make(folder / "in.mp4"), "-c", "copy", folder / "other.ts")
    tone = 9000 * np.sin(2 * np.pi * 440 * np.arange(int(0.8 * 44100)) / 44100)
    wavfile.write(folder / "tone.wav", 44100, tone.astype(np.int16))
    make(folder / "loud.mp4", audio_path=str(folder / "tone.wav"), audio_codec="aac")
    return folder


@pytest.fixture
def source(videos, tmp_path):
    """A copy of the video."""
    return pathlib.Path(shutil.copy(videos / "in.mp4", tmp_path))


@pytest.fixture
def loud(videos):
    """The video with the tone."""
    return videos / "loud.mp4"


@pytest.mark.parametrize("fps", [24, *(pytest.param(fps, marks=pytest.mark.thorough) for fps in (25, NTSC))])
def test_frames_their_order_and_rate_are_kept(tmp_path, fps):
    source, translator = make(tmp_path / "in.mp4", fps=fps), Same()
    assert translate_video(translator, "A2B", source, tmp_path / "new" / "out.mp4") == 20
    assert translator.calls == [("A2B", i, 1, "original") for i in range(20)]
    about, frames = read(tmp_path / "new" / "out.mp4")
    assert about["size"] == (64, 48) and about["pix_fmt"].startswith("yuv420p(tv, bt709")
    assert times(tmp_path / "new" / "out.mp4") == [i / Fraction(fps) for i in range(20)]
    np.testing.assert_allclose(frames.mean((1, 2)), colours(20), atol=3)
    assert np.abs(frames - colours(20)[:, None, None].astype(int)).max() <= 10


@pytest.mark.parametrize(
    "suffix",
    [pytest.param(each, marks=() if each == ".mp4" else pytest.mark.thorough) for each in sorted(video.WRITTEN)],
)
def test_every_format_has_every_frame(tmp_path, source, suffix):
    target = tmp_path / f"out{suffix.upper()}"
    assert translate_video(Inverted(), "A2B", source, target, batch_size=8) == 20
    about, frames = read(target)
    assert about["fps"] == 25
    np.testing.assert_allclose(frames.mean((1, 2)), 255.0 - colours(20), atol=4)


def test_odd_sizes_are_kept(tmp_path):
    source = make(tmp_path / "in.mp4", width=51, height=37)
    translate_video(Same(), "A2B", source, tmp_path / "out.mp4")
    about, frames = read(tmp_path / "out.mp4")
    assert frames.shape == (20, 37, 51, 3) and about["pix_fmt"].startswith("yuv444p")
    np.testing.assert_allclose(frames.mean((1, 2)), colours(20), atol=3)


def test_the_size_is_that_of_the_translator_and_gray_is_taken_and_written(tmp_path, source):
    class Half(Same):
        def __call__(self, *arguments):
            return super().__call__(*arguments)[:, ::2, ::2]

    translator = Half(channels=1)
    translate_video(translator, "B2A", source, tmp_path / "out.mp4", output_size=(24, 32), batch_size=7)
    assert translator.calls == [("B2A", 0, 7, (24, 32)), ("B2A", 7, 7, (24, 32)), ("B2A", 14, 6, (24, 32))]
    _, frames = read(tmp_path / "out.mp4")
    assert frames.shape == (20, 24, 32, 3)
    luminance = np.repeat(colours(20) @ [[0.299], [0.587], [0.114]], 3, axis=-1)
    np.testing.assert_allclose(frames.mean((1, 2)), luminance, atol=3)


def test_batches_are_as_singles(tmp_path, source):
    for size in (1, 6):
        assert translate_video(Inverted(), "A2B", source, tmp_path / f"{size}.mp4", batch_size=size) == 20
    np.testing.assert_array_equal(read(tmp_path / "1.mp4")[1], read(tmp_path / "6.mp4")[1])


def test_frames_come_upright_and_pixels_keep_their_shape(tmp_path, source):
    run("-display_rotation", 90, "-i", source, "-c", "copy", tmp_path / "turned.mp4")
    translate_video(Same(), "A2B", tmp_path / "turned.mp4", tmp_path / "upright.mp4")
    assert read(tmp_path / "upright.mp4")[1].shape == (20, 64, 48, 3)
    run("-i", source, "-vf", "setsar=16/11", tmp_path / "wide.mp4")
    translate_video(Same(), "A2B", tmp_path / "wide.mp4", tmp_path / "out.mp4")
    assert (
        b"SAR 16:11"
        in subprocess.run([ffmpeg.get_ffmpeg_exe(), "-i", tmp_path / "out.mp4"], capture_output=True).stderr
    )


def test_where_the_rate_varies_frames_are_repeated_in_time(tmp_path, source):
    run("-i", source, "-vf", "select='lt(n,10)+not(mod(n,3))'", "-fps_mode", "vfr", tmp_path / "varying.mp4")
    assert len(times(tmp_path / "varying.mp4")) == 13  # 0 to 9, 12, 15, 18
    assert translate_video(Same(), "A2B", tmp_path / "varying.mp4", tmp_path / "out.mp4") >= 19
    about, frames = read(tmp_path / "out.mp4")
    assert about["fps"] == 25
    kept = [*range(10), 12, 15, 18]
    np.testing.assert_allclose(frames[kept].mean((1, 2)), colours(20)[kept], atol=4)


@pytest.mark.parametrize(
    "suffix", [".mp4", *(pytest.param(each, marks=pytest.mark.thorough) for each in (".mkv", ".avi", ".webm"))]
)
def test_sound_is_kept_and_cut_with_the_frames(tmp_path, loud, suffix):
    for limit, seconds in ((0, 0.8), (8, 0.32)):
        target = tmp_path / f"out{limit}{suffix}"
        assert translate_video(Same(), "A2B", loud, target, batch_size=3, limit=limit) == (limit or 20)
        assert len(read(target)[1]) == (limit or 20)
        sound = heard(target)
        assert abs(len(sound) / 8000 - seconds) < 0.05
        assert abs(np.argmax(np.abs(np.fft.rfft(sound))) * 8000 / len(sound) - 440) < 5


@pytest.mark.parametrize("error", [RuntimeError("out of memory"), KeyboardInterrupt()])
def test_a_failure_in_the_middle_leaves_what_was_there(tmp_path, source, error):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.mp4").write_bytes(b"as it was")
    threads = threading.active_count()
    for name in ("old.mp4", "new.mp4"):
        with pytest.raises(type(error)):
            translate_video(Broken(error), "A2B", source, tmp_path / "out" / name)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["old.mp4"]
    assert (tmp_path / "out" / "old.mp4").read_bytes() == b"as it was"
    assert threading.active_count() == threads


def test_what_ffmpeg_cannot_write_is_told_in_its_words(tmp_path, source, monkeypatch):
    (tmp_path / "out.mp4").write_bytes(b"as it was")
    monkeypatch.setitem(video.WRITTEN, ".mp4", video.Format("mp4", ("-c:v", "rawvideo"), None))
    with pytest.raises(UserError, match=r"out\.mp4 cannot be written as a video \(.*rawvideo"):
        translate_video(Same(), "A2B", source, tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == b"as it was"
    assert {path.name for path in tmp_path.iterdir()} == {"in.mp4", "out.mp4"}


def test_what_is_no_whole_video_is_refused_by_name(tmp_path, loud):
    run("-i", loud, "-c", "copy", tmp_path / "whole.mkv")
    run("-i", loud, "-c", "copy", "-movflags", "+frag_keyframe+empty_moov", tmp_path / "parts.mp4")
    run("-i", loud.with_name("tone.wav"), tmp_path / "sound.m4a")
    whole, parts = ((tmp_path / name).read_bytes() for name in ("whole.mkv", "parts.mp4"))
    bad = {
        "zero.mp4": b"",
        "text.avi": b"no video",
        "cut.mp4": loud.read_bytes()[:-200],
        "cut.mkv": whole[: len(whole) // 2],
        "no frames.mp4": parts[: parts.index(b"moof") - 4],
        "sound.mp4": (tmp_path / "sound.m4a").read_bytes(),
    }
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
    for name in (*bad, "missing.mp4"):
        with pytest.raises(UserError, match=re.escape(str(tmp_path / name))):
            translate_video(Same(), "A2B", tmp_path / name, tmp_path / "new" / "out.mp4")
    assert not (tmp_path / "new").exists()
    with pytest.raises(UserError, match="it has no video stream"):
        translate_video(Same(), "A2B", tmp_path / "sound.mp4", tmp_path / "out.mp4")


OTHER_NAMES = ("-version.mp4", "http:x.mp4", "file:x.mp4", "pipe:0.mp4", "a\nb.mp4")


@pytest.mark.parametrize(
    "name",
    [
        "-i.mp4",
        "concat:a|in.mp4",
        "%03d.mp4",
        *(pytest.param(name, marks=pytest.mark.thorough) for name in OTHER_NAMES),
    ],
)
def test_names_are_names_of_files(tmp_path, source, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    source.rename(name)
    target = f"-y {name}" if name == "-i.mp4" else f"out/{name}"
    assert translate_video(Same(), "A2B", name, target) == 20
    assert (tmp_path / target).is_file() and len(read(tmp_path / target)[1]) == 20


@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".mkv"])
@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile other.ts\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    ],
    ids=["concat", "hls", "sdp"],
)
def test_a_list_of_other_files_is_no_video(tmp_path, videos, suffix, text):
    shutil.copy(videos / "other.ts", tmp_path)
    path = tmp_path / f"list{suffix}"
    path.write_text(text)
    with pytest.raises(UserError, match=rf"list\{suffix} cannot be read as a video"):
        translate_video(Same(), "A2B", path, tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_what_cannot_be_asked_for_is_refused(tmp_path, source, monkeypatch):
    with pytest.raises(UserError, match=r"use one of \.mp4"):
        translate_video(Same(), "A2B", source, tmp_path / "out.gif")
    with pytest.raises(UserError, match="would be overwritten"):
        translate_video(Same(), "A2B", source, source)
    deep = Same()
    deep.target = lambda direction: Domain(1, "uint16", 0, 3600)
    with pytest.raises(UserError, match="Videos need 8 bits and gray or RGB, but the output is uint16 with 1 channels"):
        translate_video(deep, "A2B", source, tmp_path / "out.mp4")
    with pytest.raises(UserError, match="The quality 60"):
        translate_video(Same(), "A2B", source, tmp_path / "out.mp4", quality=60)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UserError, match=re.escape("pip install 'imageio[ffmpeg]'")):
        translate_video(Same(), "A2B", source, tmp_path / "out.mp4")


def test_tensorflow_is_not_needed():
    program = "import sys, common.translate.video; sys.exit(bool({'tensorflow', 'imageio_ffmpeg'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
