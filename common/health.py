"""What to warn of while a training runs."""

import collections

MEASURE = "luminance_correlation"
INVERTED = -0.3  # mean correlation that is warned of
ROWS = 20  # of the log that the mean is over


def watchers(dual):
    """What is to look at every logged step of `dual`: (step, losses) -> a warning, or None."""
    if not hasattr(dual, "lambda_identity") or dual.channels_A != dual.channels_B:
        return []
    return [Inversion(name, dual.lambda_identity) for name in dual.directions]


class Inversion:
    """Warns, once, when a direction turns bright into dark: networks that undo each other may settle there."""

    def __init__(self, direction, lambda_identity):
        self._direction, self._lambda_identity = direction, lambda_identity
        self._found, self._warned = collections.deque(maxlen=ROWS), False

    def __call__(self, number, losses):
        name = f"{self._direction}/generator/{MEASURE}"
        if name not in losses or self._warned:
            return None
        self._found.append(losses[name])
        mean = sum(self._found) / len(self._found)
        if len(self._found) < ROWS or mean > INVERTED:
            return None
        self._warned = True
        more = max(0.5, 2 * self._lambda_identity)
        return (
            f"at step {number:,} {self._direction} makes bright what was dark: luminance before and after correlates at"
            f" {mean:.2f}, mean of {ROWS} logged steps. If colours in samples/ look inverted, and this is not what"
            f" the sets of images ask for, begin again with --lambda_identity {more:g} and another --run_dir or --seed."
        )
