"""Weight files of this toolkit and of others: read as named arrays and recognized as networks.

shipped     pretrained networks that come with the methods: their files, and run folders made from them
importing   Source: the files; import_weights: creates a run folder from them
prefixed    several networks in one PyTorch file, by the prefixes of their names
recognized  a network recognized in a file, with the names of its variables in both programs
pytorch     recognizes the networks of CycleGAN and pix2pix in PyTorch
layouts     the layers of these networks, here and in PyTorch
to_pytorch  a run's generators as state_dicts of these networks
dualgan     the networks of DualGAN in TensorFlow 1
state_dict  PyTorch's files as named arrays, read and written without PyTorch
opcodes     the programs in PyTorch's files, interpreted
programs    the same programs, written
safetensors  .safetensors files as named arrays, read and written
npz         weights of this toolkit as NumPy arrays
"""

from common.weights.importing import Source, import_weights
from common.weights.shipped import Shipped, pretrained, pretrained_names

__all__ = ["Shipped", "Source", "import_weights", "pretrained", "pretrained_names"]
