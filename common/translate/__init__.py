"""Translates images with a trained run.

translator  Translator: arrays of any size in, arrays out
inference   Inference: weights, direction and size; the graph of a trained dual
tiles       TiledTranslator: images that do not fit in memory
memory      whether an image fits
mirrored    self-ensemble: the mean of the translations of mirrored copies
jobs        the files to translate and their outputs; pipeline reads, translates and writes them
video       videos, frame by frame
"""

from common.translate.inference import Inference
from common.translate.tiles import TiledTranslator
from common.translate.translator import Translator

__all__ = ["Inference", "TiledTranslator", "Translator"]
