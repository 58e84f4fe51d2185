"""The parts of a method, for its author.

dual        Dual: settings, networks, losses and optimizers of a method
direction   Direction, Cycle, Network: the parts that a dual connects
cyclic      CyclicDual: two generators that invert each other; cycle weights, the identity loss
published   PublishedNetworks: the networks of CycleGAN and pix2pix, by name
networks    generators and critics, with the tables of their names
resnets     the ResNets among them, whose layers have numbers
maps        Maps: what is kept of numbered layers
activations  functions of a convolution's input
residual_unet  the small U-Net that estimates layers over images
losses      adversarial losses, L1, L2, gradient penalty
optimizers  Adam and RMSProp of TensorFlow 1
variables   the variables of networks, and a comparison of two duals
schedules   learning rates by epoch
"""

from common.dual.cyclic import CyclicDual
from common.dual.direction import Cycle, Direction, Network
from common.dual.dual import Dual, Keys, Losses
from common.dual.published import PublishedCritics, PublishedNetworks

__all__ = [
    "Cycle",
    "CyclicDual",
    "Direction",
    "Dual",
    "Keys",
    "Losses",
    "Network",
    "PublishedCritics",
    "PublishedNetworks",
]
