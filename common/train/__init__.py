"""Training: a static graph, built once, and the loop that runs it.

training    train(): from settings to a trained run
graph       the graph of a training, declared and built
introduction  the first lines of a training
loop        runs the steps, and saves, evaluates and reports between them
step        one step as operations: critic and generator updates; objectives has what they minimize
accumulation  gradients of a batch, at once or part by part
plateau     --lr_policy plateau: learning rates that follow the scores
image_pool  buffer of earlier fakes, for critics
samples     the sample strips; loaders load their images, and those of evaluations
recovery    handling of non-finite losses
warm_start  initial weights from another run
plan        --phase plan: parameters, memory and time of a training; timing has the time of a step
tuned       the algorithms of its convolutions: those that the run has, measured ones (--tune) or shipped ones
monitor, events      progress, log.csv (by csv_log); TensorBoard; forwarding passes them to a function of the caller
pace        the seconds that steps take each of several processes
health      warnings: watchers of the states of a training; rates has those of learning rates
watching    what watchers have in common: rows and windows
"""

from common.train.training import Progress, completed, train

__all__ = ["Progress", "completed", "train"]
