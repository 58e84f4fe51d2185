"""PyTorch's files of weights, written byte by byte, as its documents and files say, without PyTorch."""

import struct
import zipfile

KINDS = {"float32": b"FloatStorage", "float64": b"DoubleStorage", "float16": b"HalfStorage", "int64": b"LongStorage"}
MARK_OF_LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
VERSION_OF_LEGACY = b"\x80\x02M\xe9\x03."
METADATA = b"}U\x09_metadatacollections\nOrderedDict\n)Rsb"  # a dictionary of one item, set as attributes


def text(value):
    """BINUNICODE."""
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value):
    """BININT."""
    return b"J" + struct.pack("<i", value)


def numbers(values):
    """A tuple."""
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(key, array, size=None, stride=None, offset=0, count=None, kind=None):
    """A call of _rebuild_tensor_v2, on the storage `key`, as torch.save writes it."""
    size = array.shape if size is None else size
    stride = [step // array.itemsize for step in array.strides] if stride is None else stride
    kind = KINDS[str(array.dtype)] if kind is None else kind
    storage = b"(" + text("storage") + b"ctorch\n" + kind + b"\n" + text(key) + text("cpu")
    storage += number(array.size if count is None else count) + b"tQ"
    hooks = b"ccollections\nOrderedDict\n)R"
    arguments = storage + number(offset) + numbers(size) + numbers(stride) + b"\x89" + hooks
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + arguments + b"tR"


def dictionary(items):
    """An OrderedDict of {name: opcodes}, with _metadata."""
    inside = b"".join(text(name) + value for name, value in items.items())
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + inside + b"u" + METADATA.replace(b"collections", b"ccollections")


def program(arrays):
    """The program of {name: array}, each in a storage of its own."""
    return dictionary({name: tensor(str(n), array) for n, (name, array) in enumerate(arrays.items())}) + b"."


def write_zip(path, code, arrays, order=None, compression=zipfile.ZIP_STORED):
    """An archive with the program `code` and the storages of `arrays`; order: little or big, as a member says."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", code)
        if order:
            archive.writestr("archive/byteorder", order)
        for n, array in enumerate(arrays.values()):
            sign = ">" if order == "big" else "<"
            archive.writestr(f"archive/data/{n}", array.astype(array.dtype.newbyteorder(sign)).tobytes())
        archive.writestr("archive/version", "3\n")
    return path


def write_legacy(path, code, arrays):
    """The container of before 1.6."""
    machine = b"\x80\x02}(" + text("protocol_version") + number(1001) + text("little_endian") + b"\x88u."
    keys = b"\x80\x02](" + b"".join(text(str(n)) for n in range(len(arrays))) + b"e."
    rows = b"".join(struct.pack("<q", a.size) + a.astype(a.dtype.newbyteorder("<")).tobytes() for a in arrays.values())
    path.write_bytes(MARK_OF_LEGACY + VERSION_OF_LEGACY + machine + code + keys + rows)
    return path
