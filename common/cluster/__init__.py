"""The processes of a training.

cluster     where the processes are: flags, TF_CONFIG, ranks
distribute  means over processes, shared values, who is chief
watchdog    ends a process that waits too long for another
supervise   starts the processes of this machine, and starts them again
stop        signals that ask a training to stop
"""

from common.cluster.cluster import Cluster

__all__ = ["Cluster"]
