"""Images: from files to batches in [-1, 1], and back.

files           image files of every format: decoding and encoding
tiff, deep_png, arrays   formats that Pillow cannot read, or not in full
pixels          Domain: channels, type and range of the values of a domain
bounds          what reading a file may cost: bounds that hold before work is done
profiles        colour profiles: images of 8 bits become sRGB
ranges          the range of values, and outliers that decide it
notices         what of files is not read, or has another scale, said once for a folder
alignment       whether crops of two images of a pair show the same part
tensors         images as tensors: scaling, resizing, cropping, rounding
folders         where the images of a dataset are, and which of them are pairs
passed_over     what folders hold besides images, by the reason for which it is not read
measure         what the images of a domain have in common: channels, type, range
dataset         Images: the settings of a dataset; image_settings, those of a method that it needs
data            TrainingData: files, partners and epochs of a training
pipeline        batches read while training runs, in the order of each pass
labels          label maps: palettes of classes, confusion matrices
shards          parts of a folder for several jobs
check, facts    --phase check_data: what is wrong with a dataset; facts of an image, by which duplicates are found
check_report    what a check found; findings: how that is printed and written
catalogue       published datasets; download and archives fetch and unpack them
toy             the toy dataset, which is drawn
"""

from common.images.dataset import Images

__all__ = ["Images"]
