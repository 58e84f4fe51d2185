"""Weights in files of other tools and of this one: read as named arrays, and recognized as networks.

shipped     pretrained networks, which come with the methods: run folders of them, and their files
importing   Source, the files; import_weights, which makes a run folder of them
prefixed    networks in one file of PyTorch, by the prefixes of their names
recognized  a network found in a file, with the names of its variables in both programs
pytorch     the networks of CycleGAN and pix2pix in PyTorch
dualgan     the networks of DualGAN in TensorFlow 1
state_dict  PyTorch's files as named arrays, read without PyTorch
opcodes     the programs in PyTorch's files
npz         weights of this program as NumPy arrays
"""

from common.weights.importing import Source, import_weights
from common.weights.shipped import Shipped, pretrained, pretrained_names

__all__ = ["Shipped", "Source", "import_weights", "pretrained", "pretrained_names"]
