"""Times of operations are added up by kind."""

import types

from benchmarks import operations


def test_times_are_added_by_kind_over_runs_and_devices():
    def node(label, begin, end):
        return types.SimpleNamespace(
            timeline_label=label, node_name="own:Assign", op_start_rel_micros=begin, op_end_rel_micros=end
        )

    def trace(*devices):
        stats = [types.SimpleNamespace(node_stats=nodes) for nodes in devices]
        return types.SimpleNamespace(step_stats=types.SimpleNamespace(dev_stats=stats))

    one = trace([node("a = MatMul(x, y)", 10, 14)], [node("b = Add(x)", 0, 1), node("c = MatMul(z)", 5, 7)])
    assert operations.microseconds([one, trace([node("", 1, 4)])]) == {"MatMul": 6, "Add": 1, "Assign": 3}
