"""Runs every command of the tutorial, and writes its page and pictures: `python -m docs.tutorial`.

The commands run in a temporary folder, one after the other. Their output and pictures go into docs/tutorial.md and
docs/tutorial/. docs/tutorial_steps.py has the text and the commands. A run takes about four minutes of CPU time.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence

from PIL import Image

from common import atomic
from docs.tutorial_steps import HEAD, Settings, Step, steps

DOCS = pathlib.Path(__file__).parent
FIRST_LINES, LAST_LINES = 14, 4  # of a longer output, what is shown
WIDEST = 120  # characters of a line
QUALITY = 85  # of JPEG
NOISE = (  # lines of output that are not shown
    r"[IWEF]\d{4} ",  # TensorFlow's log
    r"[IWEF]0000 ",
    r"WARNING: All log messages before absl",
    r"To enable the following instructions",
    r".*images/s \|",  # progress, which depends on the machine
)
Execute = Callable[[str, pathlib.Path], str]  # runs a command in a folder, and returns its output


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", default=str(DOCS), help="folder of tutorial.md and tutorial/")
    output = pathlib.Path(parser.parse_args().output)
    with tempfile.TemporaryDirectory(prefix="tutorial-") as folder:
        write(output, pathlib.Path(folder).resolve(), steps(Settings()), execute)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{output / 'tutorial.md'}: {used.ru_utime + used.ru_stime:.0f} seconds of CPU time")


def write(output: pathlib.Path, folder: pathlib.Path, script: Sequence[Step], execute: Execute) -> None:
    """Runs the steps in `folder`, and writes tutorial.md and the pictures of tutorial/ into `output`."""
    texts = [HEAD]
    pictures: dict[str, Image.Image] = {}
    for step in script:
        printed = run(step, folder, execute)
        texts.append(section(step, printed, folder))
        pictures |= {picture.name: picture.draw(folder) for picture in step.pictures}
    with atomic.replacing(output / "tutorial.md") as page:
        page.write_text("\n\n".join(texts) + "\n")
    shutil.rmtree(output / "tutorial", ignore_errors=True)
    with atomic.replacing(output / "tutorial") as partial:
        partial.mkdir()
        for name, image in pictures.items():
            image.save(partial / name, quality=QUALITY, optimize=True)


def run(step: Step, folder: pathlib.Path, execute: Execute) -> str:
    """Writes the file of a step, if it has one, and runs its commands; returns what they print, shortened."""
    if step.file:
        (folder / step.file).write_text(step.code)
    return "\n".join(shortened(execute(command, folder), folder) for command in step.commands).strip("\n")


def execute(command: str, folder: pathlib.Path) -> str:
    """Runs a command in a shell with this Python and this project; raises RuntimeError if it fails."""
    root, programs = DOCS.parent, pathlib.Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": str(root),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    print(f"$ {command}", flush=True)
    ended = subprocess.run(
        command, shell=True, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if ended.returncode:
        raise RuntimeError(f"This command failed with exit status {ended.returncode}: {command}\n{ended.stdout}")
    return ended.stdout


def shortened(output: str, folder: pathlib.Path) -> str:
    """Returns output without noise and the path of the folder; of many lines, the first and the last."""
    plain = output.replace(f"{folder}{os.sep}", "").replace(str(folder), ".")
    lines = [line.rstrip() for line in plain.splitlines() if not re.match("|".join(NOISE), line)]
    lines = [line if len(line) <= WIDEST else line[: WIDEST - 2] + " …" for line in lines]
    if len(lines) > FIRST_LINES + LAST_LINES + 1:
        lines[FIRST_LINES:-LAST_LINES] = [f"… {len(lines) - FIRST_LINES - LAST_LINES} more lines …"]
    return "\n".join(lines)


def section(step: Step, printed: str, folder: pathlib.Path) -> str:
    """Returns a step as Markdown: title, text, code, commands, output and pictures."""
    parts = [f"## {step.title}" if step.title else "", step.text.strip()]
    if step.file:
        parts.append(f"`{step.file}`:\n\n```python\n{step.code.strip()}\n```")
    if step.commands:
        parts.append("\n".join(f"    {line}" for command in step.commands for line in wrapped(command)))
    if printed:
        parts.append(f"```text\n{printed}\n```")
    parts += [f"![{picture.about}](tutorial/{picture.name})\n\n*{picture.caption}*" for picture in step.pictures]
    parts.append(step.after(folder) if step.after else "")
    return "\n\n".join(part for part in parts if part)


def wrapped(command: str, width: int = 84) -> Iterator[str]:
    """Yields the lines of a command that a shell reads as one; a flag and its value stay together."""
    line = ""
    for words in re.findall(r"--\S+(?: (?!--)\S+)?|\S+", command):
        if len(f"{line} {words}") > width:
            yield f"{line} \\"
            line = f"    {words}"
        else:
            line = f"{line} {words}" if line else words
    yield line


if __name__ == "__main__":
    main()
