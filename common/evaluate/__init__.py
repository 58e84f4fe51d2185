"""How good a run is.

evaluation  --phase evaluate: the scores of checkpoints
testing     --phase test: validation images translated, written and scored
walk        validation images through a run
scores      what they score
outputs     where it is written
partial     shards of an evaluation, and merging them
selection   evaluations while training, and the best checkpoint
"""

from common.evaluate.evaluation import Evaluation, evaluate
from common.evaluate.testing import test

__all__ = ["Evaluation", "evaluate", "test"]
