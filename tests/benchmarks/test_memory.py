"""What exists when memory is at its peak, from allocations written by hand."""

import types

from benchmarks import memory
from benchmarks.memory import Allocation


def test_values_at_the_peak_are_those_allocated_and_not_freed_by_then():
    changes = [
        Allocation(30, -100, "MatMul [5]"),
        Allocation(10, 100, "MatMul [5]"),
        Allocation(20, 60, "Pad [3]"),
        Allocation(30, 90, "Pad [4]"),  # at the time at which 100 bytes are freed
    ]
    most, held = memory.held_at_peak(iter(changes))
    assert (most, held) == (160, {"MatMul [5]": 100, "Pad [3]": 60})


def test_values_are_named_by_operation_and_shape():
    sides = [types.SimpleNamespace(size=size) for size in (2, 3)]
    shape = types.SimpleNamespace(dim=sides)
    output = types.SimpleNamespace(tensor_description=types.SimpleNamespace(shape=shape))
    records = [types.SimpleNamespace(alloc_micros=time, alloc_bytes=size) for time, size in ((1, 24), (5, -24))]
    node = types.SimpleNamespace(
        timeline_label="a = MatMul(x, y)",
        node_name="a",
        output=[output],
        memory=[types.SimpleNamespace(allocation_records=records)],
    )
    device = types.SimpleNamespace(node_stats=[node])
    trace = types.SimpleNamespace(step_stats=types.SimpleNamespace(dev_stats=[device]))
    assert list(memory.allocations([trace])) == [
        Allocation(1, 24, "MatMul [2, 3]"),
        Allocation(5, -24, "MatMul [2, 3]"),
    ]
