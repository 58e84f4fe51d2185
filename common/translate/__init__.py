"""A trained run on images.

translator  Translator: arrays of any size in, arrays out
inference   Inference: which weights, direction and size; a trained dual as a graph
tiles       TiledTranslator: images too large for memory
mirrored    the mean of translations of mirrored copies
jobs        which files are translated, and where to; pipeline reads, translates and writes them
video       videos, frame by frame
"""

from common.translate.inference import Inference
from common.translate.tiles import TiledTranslator
from common.translate.translator import Translator

__all__ = ["Inference", "TiledTranslator", "Translator"]
