"""Translates videos frame by frame, keeping rate, size and sound."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import fractions
import itertools
import os
import pathlib
import re
import subprocess
import tempfile
from collections.abc import Generator, Iterator, Sequence
from typing import IO, NamedTuple, Protocol, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from common import atomic, progress
from common.errors import UserError
from common.images.pixels import Domain

Frames: TypeAlias = npt.NDArray[np.uint8]  # [N, H, W, C]

AHEAD = 2  # batches decoded ahead, and batches waiting to be encoded
QUALITY = 17
SCALING = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"  # RGB to YUV and back: the default darkens by a level


class Format(NamedTuple):
    """The output options of ffmpeg for a video format."""

    muxer: str
    video: tuple[str, ...]
    sound: tuple[str, ...] | None  # None: copied from the source


H264 = ("-c:v", "libx264")
VP9 = ("-c:v", "libvpx-vp9", "-b:v", "0", "-row-mt", "1", "-deadline", "good", "-cpu-used", "3")
AAC, OPUS = ("-c:a", "aac", "-b:a", "192k"), ("-c:a", "libopus", "-b:a", "160k")
PCM = ("-c:a", "pcm_s16le")
WRITTEN = {  # by suffix
    ".mp4": Format("mp4", H264, AAC),
    ".m4v": Format("mp4", H264, AAC),
    ".mov": Format("mov", H264, AAC),
    ".mkv": Format("matroska", H264, None),
    ".avi": Format("avi", (*H264, "-bf", "0"), PCM),  # no timestamps: reordered frames, and MP3, would be delayed
    ".webm": Format("webm", VP9, OPUS),
}
READ = ("mov", "matroska", "avi", "mpeg", "mpegts", "mpegvideo", "asf", "flv", "ogg")  # others may refer to files
SUFFIXES = (*WRITTEN, ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".3gp", ".ogv")  # that can be read


class FrameTranslator(Protocol):
    """The interface of a Translator that videos need."""

    def target(self, direction: str) -> Domain:
        """The Domain of the images that a direction outputs."""

    def __call__(self, direction: str, images: Frames, output_size: str | tuple[int, int], first: int) -> Frames:
        """Translates frames [N, H, W, C]; `first` is the number of the first frame."""


def target(source: str | os.PathLike[str], output: str | os.PathLike[str]) -> pathlib.Path:
    """Returns the path of the output: `output` itself, or the source's name in the folder `output`, if need be .mp4."""
    source, output = pathlib.Path(source), pathlib.Path(output)
    if output.suffix.lower() in SUFFIXES and not output.is_dir():
        return output
    return output / (source.name if source.suffix.lower() in WRITTEN else f"{source.stem}.mp4")


def translate_video(
    translator: FrameTranslator,
    direction: str,
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    output_size: str | tuple[int, int] = "original",
    batch_size: int = 1,
    limit: int = 0,
    quality: int = QUALITY,
) -> int:
    """Translates every frame of the video `source`, in order, to the video `target`; returns the number of frames.

    Keeps rate and sound, and turns frames upright; if the rate of the source varies, ffmpeg repeats frames, so that the
    sound stays in sync. Frame i has number i for the translator. `output_size`: see Translator; `limit`: maximum number
    of frames, 0: all; `quality`: the constant rate factor, 0 (best) to 51. The target is written completely, or stays
    as it was. Raises UserError if either cannot be read or written.
    """
    source, target = pathlib.Path(source), pathlib.Path(target)
    _refuse(target, quality, translator.target(direction))
    if target.exists() and source.exists() and target.samefile(source):
        raise UserError(f"{target} is the input video and would be overwritten. Choose a different --output.")
    info = _probe(source)
    frames = _ahead(_decode(source, info, batch_size, limit))
    total = min(info.frames, limit or info.frames)
    translated = _translated(translator, direction, frames, output_size, total)
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(translated), atomic.replacing(target) as partial:
        return _encode(translated, partial, target, info, sound=_sound(source, target, info, limit), quality=quality)


class _Info(NamedTuple):
    """Properties of the pictures in a video file."""

    width: int  # upright
    height: int
    rate: fractions.Fraction  # frames per second
    aspect: str  # of a pixel, width:height; 0:0 if unknown
    frames: int  # in the file; if the rate varies, more or fewer are decoded


def _probe(path: pathlib.Path) -> _Info:
    """Returns the properties of a video; raises UserError if it cannot be read or is truncated."""
    unreadable = f"{path} cannot be read as a video", "Replace or remove it."
    every = ["-xerror", "-progress", "pipe:1", *_pictures(path), "-c", "copy", "-f", "null", "-"]
    one = [*_pictures(path), "-frames:v", "1", "-pix_fmt", "gray", "-f", "yuv4mpegpipe", "-"]
    with _ffmpeg(every, *unreadable, fatal="ended prematurely") as pipe:
        counts = re.findall(rb"frame= *(\d+)", pipe.read())
    with _ffmpeg(one, *unreadable) as pipe:
        picture = pipe.read()
    header = re.match(rb"YUV4MPEG2 W(\d+) H(\d+) F(\d+):(\d+) .*?A(\d+:\d+).*\nFRAME", picture)
    if not header:
        raise UserError(f"{path} has no frames. Replace or remove it.")
    width, height, frames, seconds = map(int, header.groups()[:4])
    return _Info(width, height, fractions.Fraction(frames, seconds), header[5].decode(), int(counts[-1]))


def _decode(path: pathlib.Path, info: _Info, batch_size: int, limit: int) -> Generator[Frames, None, None]:
    """Yields the frames of a video, uint8 [N, H, W, 3], N at most `batch_size`."""
    output = ["-r", str(info.rate), "-sws_flags", SCALING, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    limited = ["-frames:v", str(limit)] if limit else []
    size = info.height * info.width * 3
    options = [*_pictures(path), *limited, *output]
    with _ffmpeg(options, f"{path} cannot be read to its end", "Replace or remove it.") as pipe:
        while len(content := pipe.read(batch_size * size)) >= size:
            whole = content[: len(content) // size * size]  # incomplete only if ffmpeg failed
            yield np.frombuffer(whole, np.uint8).reshape(-1, info.height, info.width, 3)


def _translated(
    translator: FrameTranslator,
    direction: str,
    batches: Generator[Frames, None, None],
    output_size: str | tuple[int, int],
    total: int,
) -> Generator[Frames, None, None]:
    """Yields the translations of batches of frames, and shows the progress; `total`: number of frames."""
    first = 0
    with (
        contextlib.closing(batches),
        progress.bar(total=total, desc=direction, unit="frame") as bar,
    ):
        for batch in batches:
            yield translator(direction, batch, output_size, first)
            first += len(batch)
            bar.update(len(batch))


def _ahead(batches: Generator[Frames, None, None]) -> Generator[Frames, None, None]:
    """Yields `batches`, computed in a thread up to AHEAD batches ahead."""
    with contextlib.closing(batches), concurrent.futures.ThreadPoolExecutor(1) as thread:
        pending = collections.deque(thread.submit(next, batches, None) for _ in range(AHEAD))
        while (batch := pending.popleft().result()) is not None:
            pending.append(thread.submit(next, batches, None))
            yield batch


def _encode(
    batches: Iterator[Frames],
    path: pathlib.Path,
    target: pathlib.Path,
    info: _Info,
    *,
    sound: Sequence[str],
    quality: int,
) -> int:
    """Writes uint8 [N, H, W, 1 or 3] to `path`, in the format of `target`; returns the number of frames.

    `info`: of the source; its rate is kept, and its pixel aspect if the size is kept. `sound`: ffmpeg's options.
    """
    head = next(batches, None)
    if head is None:
        raise UserError(f"No frames to write to {target}.")
    shape, count = head.shape[1:], 0
    encoding = _encoding(target, shape, quality, info)
    options = [*_raw(shape, info.rate), *sound, *encoding, f"file:{os.path.abspath(path)}"]
    waiting: collections.deque[concurrent.futures.Future[int]] = collections.deque()
    with (
        concurrent.futures.ThreadPoolExecutor(1) as thread,
        _ffmpeg(options, f"{target} cannot be written as a video", feeds=True) as pipe,
    ):
        for batch in itertools.chain([head], batches):
            waiting.append(thread.submit(pipe.write, batch.tobytes()))
            count += len(batch)
            if len(waiting) > AHEAD:
                waiting.popleft().result()
        for writing in waiting:
            writing.result()
    return count


def _pictures(path: pathlib.Path) -> list[str]:
    """Returns ffmpeg's options that read the pictures of a video, without sound and cover picture."""
    return [*_source(path), "-map", "0:V:0"]


def _source(path: pathlib.Path) -> list[str]:
    """Returns ffmpeg's options that open only this file, whatever its name looks like and its content refers to."""
    return ["-protocol_whitelist", "file", "-format_whitelist", ",".join(READ), "-i", f"file:{os.path.abspath(path)}"]


def _raw(shape: tuple[int, ...], rate: fractions.Fraction) -> list[str]:
    """Returns ffmpeg's options that read frames of `shape` (H, W, C) from a pipe."""
    height, width, channels = shape
    pixels = "gray" if channels == 1 else "rgb24"
    return ["-y", "-f", "rawvideo", "-pix_fmt", pixels, "-s", f"{width}x{height}", "-r", str(rate), "-i", "pipe:0"]


def _encoding(target: pathlib.Path, shape: tuple[int, ...], quality: int, info: _Info) -> list[str]:
    """Returns ffmpeg's options of the output, all in BT.709, which players assume for large videos."""
    height, width, _ = shape
    written = WRITTEN[target.suffix.lower()]
    filters = f"scale=flags={SCALING}:out_color_matrix=bt709:out_range=tv"
    filters += ",setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
    if info.aspect != "0:0" and (info.height, info.width) == (height, width):
        filters += f",setsar={info.aspect.replace(':', '/')}"
    pixels = "yuv444p" if height % 2 or width % 2 else "yuv420p"
    return ["-vf", filters, *written.video, "-crf", str(quality), "-pix_fmt", pixels, "-f", written.muxer]


def _sound(source: pathlib.Path, target: pathlib.Path, info: _Info, limit: int) -> list[str]:
    """Returns ffmpeg's options for the first audio stream of the source, if any; copied if the format is the same."""
    sound = WRITTEN[target.suffix.lower()].sound
    if sound is None or source.suffix.lower() == target.suffix.lower():
        sound = ("-c:a", "copy")
    cut = ["-t", f"{float(limit / info.rate):.6f}"] if limit else []
    return [*cut, *_source(source), "-map", "0:v:0", "-map", "1:a:0?", *sound, "-map_chapters", "-1"]


@contextlib.contextmanager
def _ffmpeg(
    options: Sequence[str], problem: str, remedy: str = "", *, fatal: str = "", feeds: bool = False
) -> Iterator[IO[bytes]]:
    """Runs ffmpeg and yields a pipe from its output or, if `feeds`, to its input; kills it if the body raises.

    Afterwards raises UserError, with `problem`, ffmpeg's message and `remedy`, if ffmpeg failed or its messages contain
    `fatal`.
    """
    command, broken = [_executable(), "-v", "error", *options], False
    stdin, stdout = (subprocess.PIPE, None) if feeds else (subprocess.DEVNULL, subprocess.PIPE)
    with (
        tempfile.TemporaryFile() as messages,
        # this process handles Ctrl-C. nosec: no shell; every file name begins with "file:/", see _source
        subprocess.Popen(  # nosec B603
            command, stdin=stdin, stdout=stdout, stderr=messages, start_new_session=True
        ) as process,
    ):
        try:
            yield cast("IO[bytes]", process.stdin or process.stdout)  # one of them is a pipe
        except BrokenPipeError:  # ffmpeg reports the reason
            broken = True
        except BaseException:
            process.kill()
            raise
        finally:
            process.communicate()
        messages.seek(0)
        text = messages.read().decode(errors="replace")
    if process.returncode or broken or (fatal and fatal in text):
        raise UserError(f"{problem} ({_reason(text, process.returncode)}). {remedy}".rstrip())


def _reason(text: str, status: int) -> str:
    """Returns ffmpeg's first message, without the name of its component."""
    if "matches no streams" in text:
        return "it has no video stream"
    if "not on whitelist" in text:
        return "its format is not supported"
    messages = (re.sub(r"^(\[[^]]*\] *)+(Error opening input: )?", "", line) for line in text.splitlines())
    sentences = (message.strip().rstrip(".") for message in messages)
    return next(filter(None, sentences), f"ffmpeg ended with status {status}")


def _executable() -> str:
    """Returns the path of ffmpeg; raises UserError if it is not installed."""
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise UserError("Videos need ffmpeg, which is not installed. Run pip install 'imageio[ffmpeg]'.") from error


def _refuse(target: pathlib.Path, quality: int, domain: Domain) -> None:
    """Raises UserError if the format, the quality or images of the domain cannot be written."""
    if domain.dtype != "uint8" or domain.channels not in (1, 3):
        raise UserError(
            f"Videos need 8 bits and gray or RGB, but the output is {domain.dtype} with {domain.channels} channels."
            " Translate a folder of frames instead."
        )
    if target.suffix.lower() not in WRITTEN:
        raise UserError(f"{target} has a video format that cannot be written: use one of {' '.join(WRITTEN)}.")
    if not 0 <= quality <= 51:
        raise UserError(
            f"The quality {quality} of {target} is not a valid constant rate factor: must be from 0 (best) to 51."
        )
