"""The run folder, and sessions.

run          Run: how long a training is, and what it keeps
checkpoints  saving, restoring and checking checkpoints
lock         one training a folder
"""

from common.run.run import Run

__all__ = ["Run"]
