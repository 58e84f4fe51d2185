"""What a training warns of."""

from common import health
from cyclegan import CycleGAN
from pix2pix import Pix2Pix
from tests import small

NAME = "A2B/generator/luminance_correlation"


def said_of(correlations, lambda_identity=0.0):
    watcher = health.Inversion("A2B", lambda_identity)
    return [watcher(number, {NAME: correlation}) for number, correlation in enumerate(correlations, start=1)]


def test_colours_that_stay_inverted_are_said_once():
    said = said_of([-0.5] * 60)
    assert [number for number, each in enumerate(said, start=1) if each] == [health.ROWS]
    assert "at step 20 A2B makes bright what was dark" in said[19]
    assert "-0.50" in said[19]
    assert "--lambda_identity 0.5 " in said[19]


def test_a_larger_weight_is_advised_where_there_is_one():
    assert "--lambda_identity 1.2 " in said_of([-0.5] * 20, lambda_identity=0.6)[19]


def test_colours_that_are_kept_or_soon_turn_are_not_worth_a_word():
    assert not any(said_of([0.2] * 60))
    assert not any(said_of([-0.9] * 5 + [0.9] * 60))


def test_rows_without_generators_are_passed_over():
    assert health.Inversion("A2B", 0.0)(1, {}) is None


def test_only_duals_that_have_the_cure_are_watched():
    assert len(health.watchers(CycleGAN())) == 2
    assert health.watchers(small.dualgan(channels_B=1)) == []
    assert health.watchers(Pix2Pix()) == []
