"""Sessions as trainings have them."""

import pytest

from tests import small


@pytest.fixture
def session():
    """A session on an empty graph of seed 1."""
    with small.session_of_a_run() as session:
        yield session
