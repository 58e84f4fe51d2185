"""Every test gets a graph and a session of its own; image folders are made where they are needed."""

import functools
import os
import shutil
import signal

import numpy as np
import pytest

from common.dual import networks
from common.images import files
from common.metrics import distances
from dualgan.model import CRITICS
from flags import messages
from tests import small

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # as on the command line; see flags/processor.py
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]  # a GPU that is a program


@pytest.fixture(autouse=True)
def shown():
    """What is logged is printed as the command line prints it."""
    messages.show()


@pytest.fixture
def session():
    """A session on an empty graph of seed 1, as runs open theirs."""
    with small.session_of_a_run() as session:
        yield session


@pytest.fixture(scope="module")
def few_patches():
    """Sliced Wasserstein distances of few patches, which are soon taken, where tests are of what is around them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distances, "PATCHES", 200)
        patch.setattr(distances, "PROJECTIONS", 8)
        yield


@pytest.fixture(scope="module")
def one_block():
    """ResNets of one block, critics of DualGAN of three convolutions: soon built, and with all kinds of layers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CRITICS, "global", (networks.dualgan_global_critic, (2, 2, 2)))
        for name in ("resnet_6blocks", "resnet_6blocks_blur", "resnet_tfgan"):
            generator = networks.GENERATORS[name]
            network = functools.partial(generator.network, blocks=1)
            patch.setitem(networks.GENERATORS, name, generator._replace(network=network))
        yield


@pytest.fixture
def heeded():
    """Signals do what they do in a terminal: a shell has SIGINT ignored in what it runs in the background."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def dataset(tmp_path):
    """A function that makes a set of images: each has the colour of its number, so that files can be told apart."""

    def make(name="set", size=16, **counts):
        for split_and_domain, count in counts.items():
            for number in range(count):
                image = np.full([size, size, 3], 8 * number, np.uint8)
                files.write(tmp_path / name / split_and_domain.replace("_", "/") / f"{number:03d}.png", image)
        return tmp_path

    return make


@pytest.fixture(scope="module")
def browser():
    """Chromium without a window; tests that want it are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("no chromium is found")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()
