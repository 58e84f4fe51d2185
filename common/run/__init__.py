"""The run folder and TensorFlow sessions.

run               Run: length of a training, batch size, checkpoints to keep
folder            contents of a run folder; config.json; refusals to resume with other settings or images
environment       versions, threads and options that the last bits of results depend on
checkpoints       Checkpoints: saves and restores the variables of a graph
checkpoint_files  the files of checkpoints: listing, verifying, removing
process_parts     the parts of a checkpoint by several processes; image pools for another number of processes
training_files    the files that a run is trained on: detects changes, and decides which are allowed
lock              one training per folder
forks             refuses forks of a process that has computed: TensorFlow would hang in them
session           TensorFlow sessions: threads and devices
gpu               why there is no GPU
"""

from common.run.run import Run

__all__ = ["Run"]
