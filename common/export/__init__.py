"""Export: writes a trained run as files for other programs, and compares each of them with the run.

exporting       Export, the options; export, which writes, compares and removes files that differ too much
signatures      the graph: pixels, floating point or encoded files of any size in, the same out
model           a run's generators in such a graph, with their weights
savedmodel  frozen_graph  tflite  onnx_graph  arrays    the formats: how each is written and opened again
ported          an opened file: functions of arrays; Format, what a format's module has
examples        the images on which an export and its run are compared
comparison      how much they differ
readme          the README.md next to the files
"""

from common.export.exporting import Export, Exported, export

__all__ = ["Export", "Exported", "export"]
