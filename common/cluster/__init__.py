"""The processes of a training.

cluster     addresses and ranks of the processes, from flags or TF_CONFIG
distribute  means over processes, shared values, the chief
watchdog    ends a process that waits too long for another
supervise   starts the processes of this machine, and restarts them
sockets     whether another process answers; closes ports to the network
stop        signals that ask a training to stop
"""

from common.cluster.cluster import Cluster

__all__ = ["Cluster"]
