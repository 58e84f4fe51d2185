"""How videos are read and written by ffmpeg: the options it is given, and what is said where it cannot."""

import concurrent.futures
import contextlib
import re
import time
import types
from fractions import Fraction

import numpy as np
import pytest

from common import progress
from common.errors import UserError
from common.images.pixels import Domain
from common.translate import video

INFO = video._Info(64, 48, Fraction(30000, 1001), "4:3", 20)
BT709 = (
    "scale=flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp:out_color_matrix=bt709:out_range=tv"
    ",setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
)


@pytest.mark.parametrize(
    ("source", "output", "target"),
    [
        ("in/a.mp4", "out", "out/a.mp4"),
        ("in/a.WEBM", "out", "out/a.WEBM"),
        ("in/a.wmv", "out", "out/a.mp4"),
        ("in/a", "out", "out/a.mp4"),
        ("in/a.mp4", "out/b.MKV", "out/b.MKV"),
        ("in/a.mp4", "out/b.mpg", "out/b.mpg"),  # which is refused later, by its name
        ("in/a.mp4", "out/b.png", "out/b.png/a.mp4"),
    ],
)
def test_where_a_video_is_written(source, output, target):
    assert video.target(source, output).as_posix() == target


def test_a_folder_may_be_named_like_a_video(tmp_path):
    (tmp_path / "b.mp4").mkdir()
    assert video.target("in/a.mkv", tmp_path / "b.mp4") == tmp_path / "b.mp4" / "a.mkv"


@pytest.mark.parametrize("quality", [0, 51])
@pytest.mark.parametrize("channels", [1, 3])
def test_videos_are_of_gray_or_rgb_and_of_any_valid_quality(channels, quality):
    video._refuse(video.pathlib.Path("x.MP4"), quality, Domain(channels))


@pytest.mark.parametrize(
    ("name", "quality", "domain", "message"),
    [
        *(
            (
                "x.mp4",
                17,
                domain,
                f"Videos need 8 bits and gray or RGB, but the output is {domain.dtype} with {domain.channels} channels."
                " Translate a folder of frames instead.",
            )
            for domain in (Domain(2), Domain(4), Domain(3, "uint16"))
        ),
        (
            "x.wmv",
            17,
            Domain(),
            "x.wmv has a video format that cannot be written: use one of .mp4 .m4v .mov .mkv .avi .webm.",
        ),
        *(
            (
                "x.mp4",
                quality,
                Domain(),
                f"The quality {quality} of x.mp4 is not a valid constant rate factor: must be from 0 (best) to 51.",
            )
            for quality in (-1, 52)
        ),
    ],
)
def test_what_cannot_be_written_as_a_video_is_refused(name, quality, domain, message):
    with pytest.raises(UserError, match=f"^{re.escape(message)}$"):
        video._refuse(video.pathlib.Path(name), quality, domain)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((48, 64, 3), ("rgb24", "64x48")), ((10, 20, 1), ("gray", "20x10"))],
)
def test_frames_come_from_a_pipe(shape, expected):
    pixels, size = expected
    assert video._raw(shape, INFO.rate) == [
        *("-y", "-f", "rawvideo", "-pix_fmt", pixels, "-s", size, "-r", "30000/1001", "-i", "pipe:0"),
    ]


@pytest.mark.parametrize(
    ("name", "shape", "info", "aspect", "codec", "pixels", "muxer"),
    [
        ("x.mp4", (48, 64, 3), INFO, ",setsar=4/3", ["-c:v", "libx264"], "yuv420p", "mp4"),
        ("x.MKV", (48, 64, 3), INFO._replace(aspect="0:0"), "", ["-c:v", "libx264"], "yuv420p", "matroska"),
        ("x.avi", (24, 64, 3), INFO, "", ["-c:v", "libx264", "-bf", "0"], "yuv420p", "avi"),
        ("x.mov", (48, 32, 3), INFO, "", ["-c:v", "libx264"], "yuv420p", "mov"),
        ("x.m4v", (47, 64, 3), INFO, "", ["-c:v", "libx264"], "yuv444p", "mp4"),
        (
            "x.webm",
            (48, 63, 3),
            INFO,
            "",
            ["-c:v", "libvpx-vp9", "-b:v", "0", "-row-mt", "1", "-deadline", "good", "-cpu-used", "3"],
            "yuv444p",
            "webm",
        ),
    ],
)
def test_how_frames_are_encoded(name, shape, info, aspect, codec, pixels, muxer):
    """The shape of pixels is kept if the size is; sides that are odd need all of the colour."""
    expected = ["-vf", BT709 + aspect, *codec, "-crf", "9", "-pix_fmt", pixels, "-f", muxer]
    assert video._encoding(video.pathlib.Path(name), shape, 9, info) == expected


@pytest.mark.parametrize(
    ("source", "target", "limit", "cut", "codec"),
    [
        ("in.mp4", "x.mp4", 0, [], ["-c:a", "copy"]),
        ("in.MP4", "x.mp4", 0, [], ["-c:a", "copy"]),
        ("in.avi", "x.mkv", 0, [], ["-c:a", "copy"]),
        ("in.mkv", "x.mp4", 15, ["-t", "0.500500"], ["-c:a", "aac", "-b:a", "192k"]),
        ("in.mkv", "x.webm", 1, ["-t", "0.033367"], ["-c:a", "libopus", "-b:a", "160k"]),
        ("in.mkv", "x.avi", 30000, ["-t", "1001.000000"], ["-c:a", "pcm_s16le"]),
    ],
)
def test_sound_is_copied_or_encoded_and_cut_with_the_frames(source, target, limit, cut, codec):
    """15 frames at 30000/1001 a second take 15 x 1001 / 30000 = 0.5005 seconds."""
    options = video._sound(video.pathlib.Path(source), video.pathlib.Path(target), INFO, limit)
    opened = video._source(video.pathlib.Path(source))
    assert options == [*cut, *opened, "-map", "0:v:0", "-map", "1:a:0?", *codec, "-map_chapters", "-1"]


def test_only_the_file_itself_is_opened(tmp_path):
    assert video._source(tmp_path / "-x.mp4") == [
        *("-protocol_whitelist", "file", "-format_whitelist"),
        "mov,matroska,avi,mpeg,mpegts,mpegvideo,asf,flv,ogg",
        *("-i", f"file:{tmp_path}/-x.mp4"),
    ]
    assert video._pictures(tmp_path / "x.mp4")[-2:] == ["-map", "0:V:0"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "[mov,mp4 @ 0x55d0] moov atom not found\n[in#0 @ 0x1] Error opening input: Invalid data\n",
            "moov atom not found",
        ),
        ("\n \n[in#0 @ 0x1] [x @ 2] Error opening input: No such file.\n", "No such file"),
        ("Stream map '0:V:0' matches no streams.\nmore", "it has no video stream"),
        ("[x @ 1] Format not on whitelist 'mov'\n", "its format is not supported"),
        ("", "ffmpeg ended with status 187"),
        ("[x @ 1] \n", "ffmpeg ended with status 187"),
    ],
)
def test_the_reason_is_the_first_message_of_ffmpeg(text, reason):
    assert video._reason(text, 187) == reason


def test_why_a_video_cannot_be_read_is_a_sentence(tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    (tmp_path / "in.mp4").write_bytes(b"no video")
    translator = types.SimpleNamespace(target=lambda direction: Domain())
    with pytest.raises(UserError) as error:
        video.translate_video(translator, "A2B", tmp_path / "in.mp4", tmp_path / "out.mp4")
    start, end = re.escape(f"{tmp_path}/in.mp4 cannot be read as a video ("), re.escape("). Replace or remove it.")
    assert re.fullmatch(f"{start}[^\n]+{end}", str(error.value))
    source = tmp_path / "in.mp4"
    with pytest.raises(UserError) as error:
        video.translate_video(translator, "A2B", source, source)
    assert str(error.value) == f"{source} is the input video and would be overwritten. Choose a different --output."


def batches(*lengths):
    for number, length in enumerate(lengths):
        yield np.full([length, 2, 2, 3], number, np.uint8)


def test_the_progress_counts_frames_and_frames_have_their_numbers(monkeypatch):
    told, calls = [], []

    class Bar:
        def __enter__(self):
            return types.SimpleNamespace(update=told.append)

        def __exit__(self, *exception):
            told.append("closed")

    def translator(direction, images, output_size, first):
        calls.append((direction, len(images), output_size, first))
        return images

    monkeypatch.setattr(progress, "bar", lambda **options: told.append(options) or Bar())
    translated = list(video._translated(translator, "B2A", batches(3, 3, 1), "model", 7))
    assert [len(each) for each in translated] == [3, 3, 1]
    assert calls == [("B2A", 3, "model", 0), ("B2A", 3, "model", 3), ("B2A", 1, "model", 6)]
    assert told == [{"total": 7, "desc": "B2A", "unit": "frame"}, 3, 3, 1, "closed"]


@pytest.mark.parametrize(("limit", "total"), [(0, 20), (5, 5), (20, 20), (50, 20)])
def test_the_progress_is_of_the_frames_that_are_wanted(tmp_path, monkeypatch, limit, total):
    asked = []

    def encode(translated, partial, target, info, *, sound, quality):
        partial.write_bytes(b"video")
        return len(list(translated))

    def translate(direction, images, output_size, first):
        return images

    def bar(**options):
        asked.append(options["total"])
        return contextlib.nullcontext(types.SimpleNamespace(update=int))

    translate.target = lambda direction: Domain()
    monkeypatch.setattr(video, "_probe", lambda path: INFO)
    monkeypatch.setattr(video, "_decode", lambda *arguments: batches(2, 1))
    monkeypatch.setattr(video, "_encode", encode)
    monkeypatch.setattr(progress, "bar", bar)
    source, target = tmp_path / "in.mp4", tmp_path / "new" / "out.mp4"
    assert video.translate_video(translate, "A2B", source, target, batch_size=2, limit=limit) == 2
    assert asked == [total] and target.read_bytes() == b"video"


class AtOnce:
    """A thread that has done its work before it is asked for it."""

    def __init__(self, count):
        assert count == 1

    def submit(self, function, *args):
        future = concurrent.futures.Future()
        future.set_result(function(*args))
        return future

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return None


def test_batches_are_read_ahead_in_order_but_few(monkeypatch):
    read = []

    def noted():
        for batch in batches(*[1] * 6):
            read.append(len(read))
            yield batch

    monkeypatch.setattr(concurrent.futures, "ThreadPoolExecutor", AtOnce)
    seen = [(int(batch[0, 0, 0, 0]), len(read)) for batch in video._ahead(noted())]
    assert seen == [(0, 3), (1, 4), (2, 5), (3, 6), (4, 6), (5, 6)]  # two wait while one is translated


@pytest.fixture
def piped(monkeypatch):
    """A function that encodes batches into what stands in for ffmpeg, and the numbers of those that were written."""
    written = []

    class Pipe:
        def __init__(self, fails_at):
            self.fails_at = fails_at

        def write(self, content):
            time.sleep(0.03 if content[0] == 0 else 0.0)  # the first takes longest
            if content[0] == self.fails_at:
                raise OSError("full")
            written.append((content[0], len(content)))

    def encode(fails_at, *lengths):
        monkeypatch.setattr(video, "_ffmpeg", lambda *args, **options: contextlib.nullcontext(Pipe(fails_at)))
        path = video.pathlib.Path("x.mp4")
        return video._encode(batches(*lengths), path, path, INFO, sound=[], quality=17)

    encode.written = written
    return encode


def test_frames_are_written_in_their_order(piped):
    assert piped(None, 3, 3, 2, 1) == 9
    assert piped.written == [(0, 36), (1, 36), (2, 24), (3, 12)]  # of 2 x 2 pixels of 3 bytes


@pytest.mark.parametrize("fails_at", [0, 1, 3])
def test_a_frame_that_cannot_be_written_is_an_error(piped, fails_at):
    with pytest.raises(OSError, match="full"):
        piped(fails_at, 1, 1, 1, 1)


def test_few_batches_wait_to_be_written(monkeypatch):
    """Two of them while the next is translated."""
    waiting, seen = [], []

    class Lazy(AtOnce):
        """A thread that works when it is waited for."""

        def submit(self, function, *args):
            waiting.append(len(seen))
            return types.SimpleNamespace(result=waiting.pop)

    def noted():
        for batch in batches(*[1] * 6):
            seen.append(len(waiting))
            yield batch

    monkeypatch.setattr(
        video, "_ffmpeg", lambda *args, **options: contextlib.nullcontext(types.SimpleNamespace(write=0))
    )
    monkeypatch.setattr(concurrent.futures, "ThreadPoolExecutor", Lazy)
    path = video.pathlib.Path("x.mp4")
    assert video._encode(noted(), path, path, INFO, sound=[], quality=17) == 6
    assert seen == [0, 1, 2, 2, 2, 2] and waiting == []  # all are waited for at the end


def test_a_video_without_frames_is_not_written(tmp_path):
    with pytest.raises(UserError, match=r"^No frames to write to x\.mp4\.$"):
        video._encode(iter(()), tmp_path / "x", video.pathlib.Path("x.mp4"), INFO, sound=[], quality=17)
