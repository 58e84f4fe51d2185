"""Export: writes a trained run as files for other programs and verifies each of them against the run.

exporting       Export: the options; export: writes and verifies files, and removes those that differ too much
signatures      the graph: pixels, floating point or encoded files of any size in, the same out
model           a run's generators in such a graph, with their weights
savedmodel  frozen_graph  tflite  onnx_graph  arrays    the formats: writing and reopening
web             a page that translates in the browser: half_weights, its networks; web_page, its files;
                web_runtime, onnxruntime-web; web_readme
state_dicts     .pth and .safetensors: weights for PyTorch, read back and compared
ported          a reopened file as functions of arrays; Format: the interface of a format's module
examples        the images on which an export is compared with the run
comparison      the differences
label_code      its lines that convert label maps; readme: the README.md next to the files
pytorch_readme  that of state_dicts
"""

from common.export.exporting import WEB, Export, Exported, export, refuse_output
from common.export.web import sizes as web_sizes

__all__ = ["WEB", "Export", "Exported", "export", "refuse_output", "web_sizes"]
