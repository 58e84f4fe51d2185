"""The processes of a training.

cluster     addresses and ranks of the processes, from flags or TF_CONFIG
distribute  all-reduced gradients, shared values
chief       work of the chief, while the others wait
watchdog    ends a process that waits too long for another one
supervise   starts the processes of this machine, and restarts them
sockets     checks whether another process answers; closes ports to the network
stop        signals that stop a training
"""

from common.cluster.cluster import Cluster

__all__ = ["Cluster"]
