"""The run that exports are made of."""

import pytest

from tests import small


@pytest.fixture(scope="package")
def run(tmp_path_factory):
    """The folder of a run whose images are of 8 bits and RGB."""
    return small.untrained(tmp_path_factory.mktemp("run"), small.dualgan(ngf=16))
