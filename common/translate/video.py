"""Videos: translated frame by frame, with their rate, size and sound."""

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
from typing import NamedTuple

import numpy as np
import tqdm

from common import atomic
from common.errors import UserError

AHEAD = 2  # batches decoded before they are needed, and batches that may wait to be encoded
QUALITY = 17
SCALING = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"  # between RGB and YUV: the default darkens by a level


class Format(NamedTuple):
    """How a video is written, as ffmpeg's options."""

    muxer: str
    video: tuple
    sound: tuple  # None: as it is in the source


H264 = ("-c:v", "libx264")
VP9 = ("-c:v", "libvpx-vp9", "-b:v", "0", "-row-mt", "1", "-deadline", "good", "-cpu-used", "3")
AAC, OPUS = ("-c:a", "aac", "-b:a", "192k"), ("-c:a", "libopus", "-b:a", "160k")
PCM = ("-c:a", "pcm_s16le")
WRITTEN = {  # by suffix
    ".mp4": Format("mp4", H264, AAC),
    ".m4v": Format("mp4", H264, AAC),
    ".mov": Format("mov", H264, AAC),
    ".mkv": Format("matroska", H264, None),
    ".avi": Format("avi", (*H264, "-bf", "0"), PCM),  # it has no times: frames out of order, and MP3, would come late
    ".webm": Format("webm", VP9, OPUS),
}
READ = ("mov", "matroska", "avi", "mpeg", "mpegts", "mpegvideo", "asf", "flv", "ogg")  # ffmpeg's; others name files
SUFFIXES = (*WRITTEN, ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".3gp", ".ogv")  # that are read


def target(source, output):
    """The video that `output` names, or that of the source's name in the folder `output`, as .mp4 if need be."""
    source, output = pathlib.Path(source), pathlib.Path(output)
    if output.suffix.lower() in SUFFIXES and not output.is_dir():
        return output
    return output / (source.name if source.suffix.lower() in WRITTEN else f"{source.stem}.mp4")


def translate_video(
    translator, direction, source, target, output_size="original", batch_size=1, limit=0, quality=QUALITY
):
    """Translates every frame of the video `source`, in order, to the video `target`; returns how many.

    Rate and sound are kept, and frames are turned upright; where the rate of the source varies, frames
    are repeated as ffmpeg does, so that the sound stays with them. Frame i has number i for the
    translator. `output_size` is what the translator takes; `limit` ends picture and sound after so
    many frames; `quality` is the constant rate factor, 0 (the best) to 51. The target is there
    whole, or as it was. Raises UserError if either cannot be read or written.
    """
    source, target = pathlib.Path(source), pathlib.Path(target)
    _refuse(target, quality, translator.target(direction))
    if target.exists() and source.exists() and target.samefile(source):
        raise UserError(f"{target} is the video to translate, and would be written over. Give another --output.")
    about = _look(source)
    frames = _ahead(_decode(source, about, batch_size, limit))
    made = _translated(translator, direction, frames, output_size, min(about.frames, limit or about.frames))
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(made), atomic.replacing(target) as beside:
        return _encode(made, beside, target, about.rate, quality, about, _sound(source, target, about, limit))


class _About(NamedTuple):
    width: int  # upright
    height: int
    rate: fractions.Fraction  # frames a second
    aspect: str  # of a pixel, width:height; 0:0 if unknown
    frames: int  # in the file: where the rate varies, more or fewer come out


def _look(path):
    """What is in a video; raises UserError if it is none, or ends before it should."""
    unreadable = f"{path} does not read as a video", "Replace or remove it."
    every = ["-xerror", "-progress", "pipe:1", *_pictures(path), "-c", "copy", "-f", "null", "-"]
    one = [*_pictures(path), "-frames:v", "1", "-pix_fmt", "gray", "-f", "yuv4mpegpipe", "-"]
    with _ffmpeg(every, *unreadable, fatal="ended prematurely", stdout=subprocess.PIPE) as process:
        counts = re.findall(rb"frame= *(\d+)", process.stdout.read())
    with _ffmpeg(one, *unreadable, stdout=subprocess.PIPE) as process:
        picture = process.stdout.read()
    header = re.match(rb"YUV4MPEG2 W(\d+) H(\d+) F(\d+):(\d+) .*?A(\d+:\d+).*\nFRAME", picture)
    if not header:
        raise UserError(f"{path} has no frames. Replace or remove it.")
    width, height, *rate = map(int, header.groups()[:4])
    return _About(width, height, fractions.Fraction(*rate), header[5].decode(), int(counts[-1]))


def _decode(path, about, batch_size, limit):
    """The frames of a video, uint8 [N, H, W, 3], N at most `batch_size`."""
    output = ["-r", str(about.rate), "-sws_flags", SCALING, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"]
    limited = ["-frames:v", str(limit)] if limit else []
    size = about.height * about.width * 3
    with _ffmpeg(
        [*_pictures(path), *limited, *output],
        f"{path} does not read to its end",
        "Replace or remove it.",
        stdout=subprocess.PIPE,
    ) as process:
        while len(read := process.stdout.read(batch_size * size)) >= size:
            whole = read[: len(read) // size * size]  # less only if ffmpeg failed
            yield np.frombuffer(whole, np.uint8).reshape(-1, about.height, about.width, 3)


def _translated(translator, direction, batches, output_size, total):
    first = 0
    with (
        contextlib.closing(batches),
        tqdm.tqdm(total=total, desc=direction, unit="frame", disable=None) as bar,
    ):
        for batch in batches:
            yield translator(direction, batch, output_size, first)
            first += len(batch)
            bar.update(len(batch))


def _ahead(items):
    """`items`, a generator, made in a thread that is at most AHEAD before."""
    with contextlib.closing(items), concurrent.futures.ThreadPoolExecutor(1) as thread:
        pending = collections.deque(thread.submit(next, items, None) for _ in range(AHEAD))
        while (item := pending.popleft().result()) is not None:
            pending.append(thread.submit(next, items, None))
            yield item


def _encode(batches, path, target, rate, quality, about=None, sound=()):
    """Writes uint8 [N, H, W, 1 or 3] to `path`, a video as `target` names it; returns how many frames.

    `about` says the shape of pixels, which is kept where the size is; `sound` are options.
    """
    head = next(batches, None)
    if head is None:
        raise UserError(f"There are no frames to write to {target}.")
    shape, count, waiting = head.shape[1:], 0, collections.deque()
    options = [*_raw(shape, rate), *sound, *_coded(target, shape, quality, about), f"file:{os.path.abspath(path)}"]
    with (
        concurrent.futures.ThreadPoolExecutor(1) as thread,
        _ffmpeg(options, f"{target} cannot be written as a video", stdin=subprocess.PIPE) as process,
    ):
        for batch in itertools.chain([head], batches):
            waiting.append(thread.submit(process.stdin.write, batch.tobytes()))
            count += len(batch)
            if len(waiting) > AHEAD:
                waiting.popleft().result()
        for written in waiting:
            written.result()
    return count


def _pictures(path):
    """ffmpeg's options that read a video, but no sound and no picture of a cover."""
    return [*_source(path), "-map", "0:V:0"]


def _source(path):
    """ffmpeg's options that open a file: that alone, whatever its name looks like and whatever it says in it."""
    return ["-protocol_whitelist", "file", "-format_whitelist", ",".join(READ), "-i", f"file:{os.path.abspath(path)}"]


def _raw(shape, rate):
    """ffmpeg's options that read frames of this shape from a pipe."""
    height, width, channels = shape
    pixels = "gray" if channels == 1 else "rgb24"
    return ["-y", "-f", "rawvideo", "-pix_fmt", pixels, "-s", f"{width}x{height}", "-r", str(rate), "-i", "pipe:0"]


def _coded(target, shape, quality, about):
    """ffmpeg's options of what is written: all of it is BT.709, as players take large videos for."""
    height, width, _ = shape
    how = WRITTEN[target.suffix.lower()]
    filters = f"scale=flags={SCALING}:out_color_matrix=bt709:out_range=tv"
    filters += ",setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
    if about and about.aspect != "0:0" and (about.height, about.width) == (height, width):
        filters += f",setsar={about.aspect.replace(':', '/')}"
    pixels = "yuv444p" if height % 2 or width % 2 else "yuv420p"
    return ["-vf", filters, *how.video, "-crf", str(quality), "-pix_fmt", pixels, "-f", how.muxer]


def _sound(source, target, about, limit):
    """ffmpeg's options that take the first sound of the source, if there is one; as it is, in the same format."""
    how = WRITTEN[target.suffix.lower()]
    same = how.sound is None or source.suffix.lower() == target.suffix.lower()
    cut = ["-t", f"{float(limit / about.rate):.6f}"] if limit else []
    coded = ["-c:a", "copy"] if same else how.sound
    return [*cut, *_source(source), "-map", "0:v:0", "-map", "1:a:0?", *coded, "-map_chapters", "-1"]


@contextlib.contextmanager
def _ffmpeg(options, problem, remedy="", fatal=None, **pipes):
    """ffmpeg at work, a Popen; killed if the body raises.

    Afterwards raises UserError, with `problem`, what ffmpeg says and `remedy`, if it failed, or if
    what it says has `fatal` in it.
    """
    command, broken = [_executable(), "-v", "error", *options], False
    pipes = {"stdin": subprocess.DEVNULL, **pipes}
    with (
        tempfile.TemporaryFile() as said,
        # Ctrl-C is ours. nosec: no shell; every name of a file begins with "file:/", see _source
        subprocess.Popen(command, stderr=said, start_new_session=True, **pipes) as process,  # nosec B603
    ):
        try:
            yield process
        except BrokenPipeError:  # ffmpeg says why
            broken = True
        except BaseException:
            process.kill()
            raise
        finally:
            process.communicate()
        said.seek(0)
        text = said.read().decode(errors="replace")
    if process.returncode or broken or (fatal and fatal in text):
        raise UserError(f"{problem} ({_reason(text, process.returncode)}). {remedy}".rstrip())


def _reason(text, status):
    """The first thing that ffmpeg says, without what part of it does."""
    if "matches no streams" in text:
        return "there is no moving picture in it"
    if "not on whitelist" in text:
        return "it is none of the formats that are read"
    said = (re.sub(r"^(\[[^]]*\] *)+(Error opening input: )?", "", line) for line in text.splitlines())
    lines = (line.strip().rstrip(".") for line in said)
    return next(filter(None, lines), f"ffmpeg ended with status {status}")


def _executable():
    """The path of ffmpeg; raises UserError if it is not installed."""
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise UserError("Videos need ffmpeg, and it is not installed: pip install 'imageio[ffmpeg]'.") from error


def _refuse(target, quality, domain):
    """Raises UserError if the format, the quality or what is made cannot be written."""
    if domain.dtype != "uint8" or domain.channels not in (1, 3):
        raise UserError(
            f"Videos have 8 bits of gray or RGB, and what is made is {domain.dtype} of {domain.channels} channels."
            " Translate a folder of the frames."
        )
    if target.suffix.lower() not in WRITTEN:
        raise UserError(f"{target} is no video that is written: give it one of the suffixes {' '.join(WRITTEN)}.")
    if not 0 <= quality <= 51:
        raise UserError(f"The quality {quality} of {target} is no constant rate factor: 0 is the best, 51 the worst.")
