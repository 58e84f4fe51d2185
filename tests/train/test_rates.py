"""What a training warns of its learning rates, and how it advises to lower them."""

import pytest

from common.train import rates, watching
from cyclegan import CycleGAN
from enhancement import Enhancement


def row(number, values, left=1000):
    return watching.Row(10 * number, left, values, {}, seconds=float(number), waited=0.0)


def told(watcher, rows):
    """{number of the row, from 1: what is said of it}."""
    said = {number: watcher(each) for number, each in enumerate(rows, start=1)}
    return {number: each for number, each in said.items() if each}


def series(name, numbers):
    return [row(number, {name: value}) for number, value in enumerate(numbers, start=1)]


def test_only_rates_above_their_default_are_blamed():
    """CycleGAN's defaults are 2e-4 for both."""
    assert rates.lower_rates(CycleGAN(lr_D=0.1)) == "a lower --lr_D than 0.1 (the default is 0.0002)"
    both = "a lower --lr_G than 0.5 and a lower --lr_D than 0.1 (the defaults are 0.0002 and 0.0002)"
    assert rates.lower_rates(CycleGAN(lr_G=0.5, lr_D=0.1)) == both
    as_usual = "a lower --lr_G than 0.0002 and a lower --lr_D than 0.0001"
    assert rates.lower_rates(CycleGAN(lr_D=1e-4)) == as_usual
    assert "lr_D" not in rates.lower_rates(Enhancement(image_size=32, lr_D=1.0))  # it has no critics


def test_a_rate_of_zero():
    falling = [2e-4, 1e-4, 0.0, 0.0]
    said = told(rates.LearningRateZero("generator", CycleGAN()), series("learning_rate/generator", falling))
    assert min(said) == 3
    assert (
        "at step 30 the learning rate of the generators is 0, so they learn nothing in the 1,000 remaining" in said[3]
    )
    assert "--n_epochs_decay" in said[3]
    (said, *_) = told(
        rates.LearningRateZero("critic", CycleGAN(lr_D=0.0)), series("learning_rate/critic", [0.0])
    ).values()
    assert "by --lr_D 0" in said
    assert not told(rates.LearningRateZero("critic", CycleGAN()), series("learning_rate/critic", [1e-12] * 9))
    ended = [row(1, {"learning_rate/critic": 0.0}, left=0)]
    assert not told(rates.LearningRateZero("critic", CycleGAN()), ended)


@pytest.mark.parametrize(
    ("policy", "cause"),
    [("cosine", "rises again from the next epoch on"), ("plateau", "--plateau_factor")],
)
def test_a_rate_of_zero_has_the_cause_of_its_policy(policy, cause):
    dual = CycleGAN(lr_policy=policy, **({"plateau_factor": 0.0} if policy == "plateau" else {}))
    (said, *_) = told(rates.LearningRateZero("generator", dual), series("learning_rate/generator", [0.0])).values()
    assert cause in said and "The schedule has ended" not in said
    assert ("learn nothing" in said) == (policy == "plateau")


@pytest.mark.parametrize("lr_D", [2e-4, 0.0])
def test_critics_that_do_not_exist_have_no_rate(lr_D):
    dual = Enhancement(lambda_adversarial=0.0, lr_D=lr_D)
    assert not told(rates.LearningRateZero("critic", dual), series("learning_rate/critic", [0.0] * 9))


def test_a_rate_of_more_than_a_hundred_times_the_default():
    """CycleGAN's default is 2e-4, so that 0.02 is the limit and 0.5 is 2,500 times as much."""
    dual = CycleGAN(image_size=32, load_size=32)
    (said, *_) = told(rates.HighLearningRate("generator", dual), series("learning_rate/generator", [0.5])).values()
    assert "at step 10 the learning rate of the generators is 0.5, 2,500 times the default of CycleGAN, 0.0002" in said
    assert "--lr_G" in said
    assert not told(rates.HighLearningRate("critic", dual), series("learning_rate/critic", [0.0199]))
    uncriticized = Enhancement(image_size=32)
    assert not told(rates.HighLearningRate("critic", uncriticized), series("learning_rate/critic", [0.5]))


def test_rates_that_are_not_logged_are_neither_zero_nor_high():
    for watcher in (rates.LearningRateZero, rates.HighLearningRate):
        assert not told(watcher("generator", CycleGAN()), series("A2B/critic/adversarial", [0.5]))


@pytest.mark.parametrize(("rate", "is_high"), [(0.02, False), (0.020001, True)])
def test_a_hundred_times_the_default_is_not_yet_high(rate, is_high):
    said = told(rates.HighLearningRate("generator", CycleGAN()), series("learning_rate/generator", [rate]))
    assert bool(said) is is_high
