"""Interprets the programs in PyTorch's files without calling anything that they name.

`torch.save` writes a program of opcodes, which may call anything when Python's own reader runs it. This interpreter
knows only the opcodes that dictionaries of tensors need, and the few names below; it refuses everything else. A
dictionary becomes a dict, a tensor a Tensor, which has the position of its numbers and their shape.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable, Sequence
from typing import IO, Any, NamedTuple, TypeAlias

MAX_BYTES = 2**24  # of a program; that of a U-Net has 30,000
MAX_OPCODES = 2**18
MAX_LINE = 2**10  # bytes of a name
MAX_SIDES = 8  # of a tensor
MAX_TUPLE = 16  # values of a tuple
PROTOCOL = 2  # of torch.save


class Storage(NamedTuple):
    """A sequence of numbers elsewhere in the file."""

    dtype: str  # NumPy's name, or bfloat16
    key: str
    length: int


class Tensor(NamedTuple):
    """An array of numbers of a Storage."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]  # in numbers, not bytes


class Refused(ValueError):
    """A program needs something that this interpreter refuses."""


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


def run(file: IO[bytes]) -> tuple[Any, dict[str, Storage]]:
    """Returns (the value of the program at the position of `file`, its Storages by key).

    Reads no byte beyond the program's end. Raises Refused if it needs anything except dictionaries, lists, tuples,
    numbers, texts and tensors, or too many of them, and ValueError if it is not such a program.
    """
    machine = _Machine()
    opcodes = pickletools.genops(_Bounded(file))  # type: ignore[arg-type]  # it only uses read, readline and tell
    for number, (opcode, argument, _) in enumerate(opcodes):
        if number >= MAX_OPCODES:
            raise Refused(f"it has more than {MAX_OPCODES:,} opcodes")
        if opcode.name not in ACTS:
            raise Refused(f"it has the opcode {opcode.name}, which no dictionary of tensors needs")
        try:
            ACTS[opcode.name](machine, argument)
        except Refused:
            raise
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"its opcode {opcode.name} lacks operands") from error
    (value,) = machine.stack
    return value, machine.storages


class _Bounded:
    """A file that refuses to read more than MAX_BYTES."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._left = file, MAX_BYTES

    def read(self, count: int) -> bytes:
        if count > self._left:
            raise Refused(f"its program has more than {MAX_BYTES:,} bytes")
        self._left -= count
        return self._file.read(count)

    def readline(self) -> bytes:
        line = self._file.readline(min(MAX_LINE, self._left))
        self._left -= len(line)
        return line

    def tell(self) -> int:
        return self._file.tell()


class _Machine:
    """The values on the `stack`; `below` has the stacks before each mark."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}
        self.pairs = 0  # read from lists so far

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        values, self.stack = self.stack, self.below.pop()
        return values


Act: TypeAlias = Callable[[_Machine, Any], None]  # an opcode, given its argument


def _protocol(machine: _Machine, version: int) -> None:
    if version != PROTOCOL:
        raise Refused(f"it is written in protocol {version}, but torch.save uses {PROTOCOL}")


def _stop(machine: _Machine, _: Any) -> None:
    if machine.below or len(machine.stack) != 1:
        raise Refused("it ends with more or less than one value")


def _mark(machine: _Machine, _: Any) -> None:
    machine.below.append(machine.stack)
    machine.stack = []


def _tuple(machine: _Machine, items: Sequence[Any]) -> None:
    """Pushes a tuple; it must be short and nested at most twice, which is enough for tensors."""
    inner = (value for item in items if type(item) is tuple for value in item)
    if len(items) > MAX_TUPLE or any(type(value) is tuple for value in inner):
        raise Refused("it has tuples that are longer or deeper than those of tensors")
    machine.push(tuple(items))


def _tuple_of(count: int) -> Act:
    def act(machine: _Machine, _: Any) -> None:
        items = [machine.pop() for _ in range(count)][::-1]
        _tuple(machine, items)

    return act


def _append(machine: _Machine, items: Sequence[Any]) -> None:
    target = machine.stack[-1]
    if type(target) is not list:
        raise Refused("it appends to something other than a list")
    target.extend(items)


def _set(machine: _Machine, items: Sequence[Any]) -> None:
    target = machine.stack[-1]
    if type(target) is not dict or len(items) % 2:
        raise Refused("it sets items of something other than a dictionary")
    for key, value in zip(items[::2], items[1::2]):
        if not isinstance(key, (str, int)):
            raise Refused("it has a key that is neither a text nor a number")
        target[key] = value


def _set_one(machine: _Machine, _: Any) -> None:
    value, key = machine.pop(), machine.pop()
    _set(machine, [key, value])


def _append_one(machine: _Machine, _: Any) -> None:
    value = machine.pop()
    _append(machine, [value])


def _name(machine: _Machine, name: str) -> None:
    if name in DTYPES:
        machine.push(_Dtype(DTYPES[name]))
    elif name in CALLS:
        machine.push(CALLS[name])
    else:
        raise Refused(f"it imports {name.replace(' ', '.')}, which no dictionary of tensors needs")


def _reduce(machine: _Machine, _: Any) -> None:
    arguments, called = machine.pop(), machine.pop()
    if called not in CALLS.values() or type(arguments) is not tuple:
        raise Refused("it calls an object that it has created itself")
    machine.push(called(machine, *arguments))


def _build(machine: _Machine, _: Any) -> None:
    """Drops the versions of layers, which `state_dict()` attaches to the dictionary and nothing here needs."""
    state = machine.pop()
    if type(machine.stack[-1]) is not dict or type(state) is not dict or len(state) != 1 or "_metadata" not in state:
        raise Refused("it sets attributes")


def _storage(machine: _Machine, _: Any) -> None:
    kind, dtype, key, _, length, *view = machine.pop()
    if kind != "storage" or type(dtype) is not _Dtype or type(key) is not str or type(length) is not int or any(view):
        raise Refused("it refers to something other than numbers in the file")
    storage = Storage(dtype.name, key, length)
    if machine.storages.setdefault(key, storage) != storage:
        raise Refused(f"it contradicts itself about the numbers {key}")
    machine.push(storage)


def _ordered(machine: _Machine, pairs: Sequence[Any] = ()) -> dict[str | int, Any]:
    """Builds an OrderedDict. Python 2 wrote its `pairs`; a list that a program names repeatedly counts each time."""
    machine.pairs += len(pairs)
    items: dict[str | int, Any] = {}
    if machine.pairs > MAX_OPCODES:
        raise Refused(f"it has more than {MAX_OPCODES:,} items")
    for key, value in pairs:
        if not isinstance(key, (str, int)):
            raise Refused("it has a key that is neither a text nor a number")
        items[key] = value
    return items


def _tensor(machine: _Machine, storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    """Builds a tensor within its Storage; checks all types, as nothing in a program can be trusted."""
    del machine
    if len(size) != len(stride) or len(size) > MAX_SIDES:
        raise Refused(f"it has a tensor of {len(size)} sides and {len(stride)} strides")
    if type(storage) is not Storage or any(type(n) is not int or n < 0 for n in (offset, *size, *stride)):
        raise Refused("it has a tensor of something other than numbers")
    last = offset + sum((side - 1) * step for side, step in zip(size, stride))
    if 0 in size or last >= storage.length or math.prod(size) > storage.length:
        raise Refused(f"it has a tensor that is larger than its {storage.length:,} numbers, or empty")
    return Tensor(storage, offset, tuple(size), tuple(stride))


def _parameter(machine: _Machine, tensor: Any, *_: Any) -> Tensor:
    del machine
    if type(tensor) is not Tensor:
        raise Refused("it has a parameter that is not a tensor")
    return tensor


CALLS: dict[str, Callable[..., Any]] = {
    "collections OrderedDict": _ordered,
    "torch._utils _rebuild_tensor": _tensor,
    "torch._utils _rebuild_tensor_v2": _tensor,
    "torch._utils _rebuild_parameter": _parameter,
}


def _constant(value: Any) -> Act:
    return lambda machine, _: machine.push(value)


def _remember(machine: _Machine, number: int) -> None:
    machine.memo[number] = machine.stack[-1]


ACTS: dict[str, Act] = {
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
