"""A server in a process of its own, and what tests send to it."""

import io
import re
import signal
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from tests import small

httpx = pytest.importorskip("httpx")
pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
RANDOM = np.random.default_rng(0)
PNG = {"Content-Type": "image/png"}
ALL = ("content-security-policy", "x-content-type-options", "referrer-policy", "cross-origin-resource-policy")


def image(height=24, width=37, channels=3):
    return RANDOM.integers(0, 256, [height, width, channels], np.uint8)


def encoded(pixels, kind="PNG"):
    written = io.BytesIO()
    PIL.Image.fromarray(pixels).save(written, kind, **({"lossless": True} if kind == "WEBP" else {}))
    return written.getvalue()


def decoded(content):
    return np.asarray(PIL.Image.open(io.BytesIO(content)))


class Server:
    """A server in a process of its own; close it."""

    def __init__(self, *args):
        self.process = subprocess.Popen(
            [sys.executable, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=small.ROOT
        )
        self.first_line = self.process.stdout.readline()
        address = re.search(r"http://\S+", self.first_line)
        assert address, self.first_line + self.process.communicate()[1]
        self.address = address[0]
        self.client = httpx.Client(base_url=self.address, timeout=60)

    def send(self, content, query="?direction=A2B", headers=PNG):
        return self.client.post(f"/translate{query}", content=content, headers=headers)

    def end(self, number=signal.SIGTERM):
        """(exit code, the rest of its output, its errors)."""
        self.client.close()
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=30)
        return self.process.returncode, output, errors


def refusal(answer):
    """(status, sentence) of an error; it is JSON and carries the headers of all answers."""
    assert answer.headers["content-type"] == "application/json"
    assert {*ALL} <= {*answer.headers}
    (text,) = answer.json().values()
    assert text.endswith(".")
    return answer.status_code, text
