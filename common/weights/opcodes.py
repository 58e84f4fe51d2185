"""The programs in PyTorch's files: what they say is taken down, and nothing of it is called.

`torch.save` writes a program of opcodes, which Python's own reader would run, and which may call anything. This
machine knows the opcodes that dictionaries of tensors need, and the few names below; whatever else a program
has is refused. A dictionary becomes a dict, a tensor a Tensor: where its numbers lie, and in which shape.
"""

from __future__ import annotations

import math
import pickletools
from typing import NamedTuple

MAX_BYTES = 2**24  # of a program; that of a U-Net has 30,000
MAX_OPCODES = 2**18
MAX_LINE = 2**10  # bytes of a name
MAX_SIDES = 8  # of a tensor
MAX_TUPLE = 16  # values of a tuple
PROTOCOL = 2  # that torch.save writes


class Storage(NamedTuple):
    """A row of numbers, which lies elsewhere in the file."""

    dtype: str  # NumPy's name, or bfloat16
    key: str
    count: int


class Tensor(NamedTuple):
    """Numbers of a Storage, as an array."""

    storage: Storage
    offset: int
    size: tuple
    stride: tuple  # in numbers, not bytes


class Refused(ValueError):
    """What a program asks for is not done."""


DTYPES = {
    "torch DoubleStorage": "float64",
    "torch FloatStorage": "float32",
    "torch HalfStorage": "float16",
    "torch BFloat16Storage": "bfloat16",
    "torch LongStorage": "int64",
    "torch IntStorage": "int32",
    "torch ShortStorage": "int16",
    "torch CharStorage": "int8",
    "torch ByteStorage": "uint8",
    "torch BoolStorage": "bool",
}


class _Dtype(NamedTuple):
    name: str


def run(file):
    """What the program says that begins where the binary `file` stands, and its Storages by key.

    Reads no byte beyond its end. Raises Refused if it asks for anything but dictionaries, lists, tuples, numbers, texts
    and tensors, or for too much of them, and ValueError if it is no such program.
    """
    machine = _Machine()
    for number, (opcode, argument, _) in enumerate(pickletools.genops(_Bounded(file))):
        if number >= MAX_OPCODES:
            raise Refused(f"it has more than {MAX_OPCODES:,} opcodes")
        if opcode.name not in ACTS:
            raise Refused(f"it has the opcode {opcode.name}, which no dictionary of tensors needs")
        try:
            ACTS[opcode.name](machine, argument)
        except Refused:
            raise
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"its opcode {opcode.name} has nothing to work on") from error
    (found,) = machine.stack
    return found, machine.storages


class _Bounded:
    """A file of which MAX_BYTES are read, and not a byte more is asked for."""

    def __init__(self, file):
        self._file, self._left = file, MAX_BYTES

    def read(self, count):
        if count > self._left:
            raise Refused(f"its program has more than {MAX_BYTES:,} bytes")
        self._left -= count
        return self._file.read(count)

    def readline(self):
        line = self._file.readline(min(MAX_LINE, self._left))
        self._left -= len(line)
        return line

    def tell(self):
        return self._file.tell()


class _Machine:
    """Values that wait for their opcode: `stack`, and in `below` the stacks before each mark."""

    def __init__(self):
        self.stack, self.below, self.memo, self.storages = [], [], {}, {}
        self.pairs = 0  # that were read of lists

    def push(self, value):
        self.stack.append(value)

    def pop(self):
        return self.stack.pop()

    def pop_to_mark(self):
        found, self.stack = self.stack, self.below.pop()
        return found


def _protocol(machine, version):
    if version != PROTOCOL:
        raise Refused(f"it is written in protocol {version}, and torch.save writes {PROTOCOL}")


def _stop(machine, _):
    if machine.below or len(machine.stack) != 1:
        raise Refused("it ends with more or less than one value")


def _mark(machine, _):
    machine.below.append(machine.stack)
    machine.stack = []


def _tuple(machine, items):
    """Of few values, and of these the tuples hold no others: what is needed, and never deep."""
    if len(items) > MAX_TUPLE or any(type(each) is tuple for item in items if type(item) is tuple for each in item):
        raise Refused("it has tuples that are longer or deeper than those of tensors")
    machine.push(tuple(items))


def _tuple_of(count):
    def act(machine, _):
        items = [machine.pop() for _ in range(count)][::-1]
        _tuple(machine, items)

    return act


def _append(machine, items):
    target = machine.stack[-1]
    if type(target) is not list:
        raise Refused("it appends to what is no list")
    target.extend(items)


def _set(machine, items):
    target = machine.stack[-1]
    if type(target) is not dict or len(items) % 2:
        raise Refused("it sets items of what is no dictionary")
    for key, value in zip(items[::2], items[1::2]):
        if not isinstance(key, (str, int)):
            raise Refused("it has a key that is neither a text nor a number")
        target[key] = value


def _set_one(machine, _):
    value, key = machine.pop(), machine.pop()
    _set(machine, [key, value])


def _append_one(machine, _):
    value = machine.pop()
    _append(machine, [value])


def _name(machine, name):
    if name in DTYPES:
        machine.push(_Dtype(DTYPES[name]))
    elif name in CALLS:
        machine.push(CALLS[name])
    else:
        raise Refused(f"it asks for {name.replace(' ', '.')}, which no dictionary of tensors needs")


def _reduce(machine, _):
    arguments, called = machine.pop(), machine.pop()
    if called not in CALLS.values() or type(arguments) is not tuple:
        raise Refused("it calls what it has made itself")
    machine.push(called(machine, *arguments))


def _build(machine, _):
    """The versions of layers, which `state_dict()` hangs on the dictionary, and which say nothing here."""
    state = machine.pop()
    if type(machine.stack[-1]) is not dict or type(state) is not dict or len(state) != 1 or "_metadata" not in state:
        raise Refused("it sets attributes")


def _storage(machine, _):
    kind, dtype, key, _, count, *view = machine.pop()
    if kind != "storage" or type(dtype) is not _Dtype or type(key) is not str or type(count) is not int or any(view):
        raise Refused("it refers to something other than numbers in the file")
    found = Storage(dtype.name, key, count)
    if machine.storages.setdefault(key, found) != found:
        raise Refused(f"it says two things of the numbers {key}")
    machine.push(found)


def _ordered(machine, pairs=()):
    """With `pairs`, as Python 2 wrote it: one list may be named often, and is read each time."""
    machine.pairs, found = machine.pairs + len(pairs), {}
    if machine.pairs > MAX_OPCODES:
        raise Refused(f"it has more than {MAX_OPCODES:,} items")
    for key, value in pairs:
        if not isinstance(key, (str, int)):
            raise Refused("it has a key that is neither a text nor a number")
        found[key] = value
    return found


def _tensor(machine, storage, offset, size, stride, *_):
    del machine
    if len(size) != len(stride) or len(size) > MAX_SIDES:
        raise Refused(f"it has a tensor of {len(size)} sides and {len(stride)} strides")
    if type(storage) is not Storage or any(type(n) is not int or n < 0 for n in (offset, *size, *stride)):
        raise Refused("it has a tensor of something other than numbers")
    last = offset + sum((side - 1) * step for side, step in zip(size, stride))
    if 0 in size or last >= storage.count or math.prod(size) > storage.count:
        raise Refused(f"it has a tensor that is larger than its {storage.count:,} numbers, or empty")
    return Tensor(storage, offset, tuple(size), tuple(stride))


def _parameter(machine, tensor, *_):
    del machine
    if type(tensor) is not Tensor:
        raise Refused("it has a parameter that is no tensor")
    return tensor


CALLS = {
    "collections OrderedDict": _ordered,
    "torch._utils _rebuild_tensor": _tensor,
    "torch._utils _rebuild_tensor_v2": _tensor,
    "torch._utils _rebuild_parameter": _parameter,
}


def _constant(value):
    return lambda machine, _: machine.push(value)


def _remember(machine, number):
    machine.memo[number] = machine.stack[-1]


ACTS = {
    "PROTO": _protocol,
    "STOP": _stop,
    "MARK": _mark,
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"), _Machine.push),
    **dict.fromkeys(("BINUNICODE", "BINSTRING", "SHORT_BINSTRING"), _Machine.push),  # the latter two: Python 2
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": _constant(()),
    "TUPLE": lambda machine, _: _tuple(machine, machine.pop_to_mark()),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "APPEND": _append_one,
    "APPENDS": lambda machine, _: _append(machine, machine.pop_to_mark()),
    "SETITEM": _set_one,
    "SETITEMS": lambda machine, _: _set(machine, machine.pop_to_mark()),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _remember),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda machine, number: machine.push(machine.memo[number])),
    "GLOBAL": _name,
    "REDUCE": _reduce,
    "BUILD": _build,
    "BINPERSID": _storage,
}
