"""Evaluates trained runs.

evaluation  --phase evaluate: scores checkpoints
testing     --phase test: translates, writes and scores validation images
walk        translates validation images one by one
scores      the scores of translated images
outputs     the output folder
partial     shards of an evaluation, and merging them
ending      a few scores at the end of a training
selection   evaluations during training, and the best checkpoint
"""

from common.evaluate.evaluation import Evaluation, evaluate
from common.evaluate.testing import test

__all__ = ["Evaluation", "evaluate", "test"]
