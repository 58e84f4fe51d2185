"""Training: a static graph, built once, and the loop that runs it.

training    train(): from settings to a trained run
graph       the graph of a training, declared and built
loop        step after step, and what is done between them
step        one step as operations: critic and generator updates
image_pool  earlier fakes, for critics
samples     the sample strips
recovery    losses that are not finite
warm_start  weights of another run to begin with
plan        --phase plan: what a training would take
monitor, health, events       log.csv and progress; warnings; TensorBoard
"""

from common.train.training import Progress, train

__all__ = ["Progress", "train"]
