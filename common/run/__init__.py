"""The run folder, and sessions.

run               Run: how long a training is, and what it keeps
folder            what lies in a run folder; config.json; refusals to resume with other settings or images
checkpoints       Checkpoints: saves and restores the variables of a graph
checkpoint_files  the files of checkpoints: which there are, whether they are whole
training_files    the files that a run is trained on: which have changed, and which may
lock              one training a folder
forks             forks of a process that has computed, in which TensorFlow would wait for ever
session           TensorFlow sessions: threads and devices
gpu               why there is no GPU
"""

from common.run.run import Run

__all__ = ["Run"]
