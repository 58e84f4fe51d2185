"""Images: from files to batches in [-1, 1], and back.

files           image files of every format: decoding and encoding
tiff, deep_png, arrays   formats that Pillow cannot read, or not in full
pixels          Domain: channels, type and range of the values of a domain
bounds          limits on the work of reading a file, checked before the work is done
unpacking       how much packed bytes unpack to; descriptions: how much a TIFF declares
profiles        colour profiles: images of 8 bits become sRGB
ranges          the range of values, and outliers that determine it
notices         warnings about content that is not read or has another scale, once per folder
alignment       whether crops of two images of a pair show the same part
tensors         images as tensors: scaling, resizing, cropping, rounding
folders         where the images of a dataset are, and which of them are pairs
passed_over     entries of folders that are not read, counted by reason
measure         channels, type and range of the images of a domain
dataset         Images: the settings of a dataset; image_settings: the settings of a method that it needs
data            TrainingData: files, partners and epochs of a training
order           in which order training reads files
pipeline        training batches, read in the background in a reproducible order
labels          palettes, in files and in images; scores of label maps
classes         classes of label maps: values in files, colours, codes; palettes: finds those of a domain
shards          parts of a folder for several jobs
check, facts    --phase check_data: problems of a dataset; size, values and digest of an image, to find duplicates
sameness        warns if the images of a domain are all alike
check_report    the result of a check; findings: prints and writes it
domain_names    what the images of a dataset are, by its name
previews        the first validation images of a run, small; colours: those to draw with; canvas: to draw them on
catalogue       published datasets; download and archives fetch and unpack them, one process at a time by exclusive
toy             the toy dataset, drawn by the program
"""

from common.images.dataset import Images

__all__ = ["Images"]
