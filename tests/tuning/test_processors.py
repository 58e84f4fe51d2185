"""Kinds of processors, from what Linux writes of them."""

import pytest

from common.tuning import processors

XEON = (
    "processor\t: 0\nmodel name\t: Intel(R) Xeon(R)\nflags\t\t: fpu avx2 avx512f avx512_bf16 amx_bf16\n\n"
    "processor\t: 1\nmodel name\t: another\nflags\t\t: fpu\n"
)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (XEON, "amx_bf16"),
        ("flags\t\t: fpu avx2 avx512f avx512_bf16\n", "avx512_bf16"),
        ("flags\t\t: fpu avx2 avx512f\n", "avx512f"),
        ("flags\t\t: fpu avx2\n", "avx2"),
        ("flags\t\t: fpu avx\n", ""),
        ("CPU part\t: 0xd0c\n", ""),
        ("", ""),
    ],
)
def test_the_kind_is_the_newest_instruction(text, kind):
    assert processors.kind(text) == kind


def test_the_first_processor_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(processors, "CPUINFO", tmp_path / "cpuinfo")
    assert processors.cpuinfo() == ""
    (tmp_path / "cpuinfo").write_bytes(XEON.encode() + b"\xff")
    text = processors.cpuinfo()
    assert processors.model(text) == "Intel(R) Xeon(R)" and "fpu" in processors.features(text)
    assert processors.model("") == ""
