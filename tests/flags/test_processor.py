"""What is decided of the processor before TensorFlow is imported."""

import os
import pathlib
import subprocess
import sys

import pytest

from common.tuning import processors
from flags import processor

ROOT = pathlib.Path(__file__).parents[2]
AVX2 = "processor\t: 0\nmodel name\t: some\nflags\t\t: fpu sse2 avx2 fma bmi2\n"
AVX = "flags\t\t: fpu sse2 avx\nbugs\t\t: none\n"


@pytest.fixture
def environment(monkeypatch):
    for name in ("TF_ENABLE_ONEDNN_OPTS", "TF_XLA_FLAGS", "TF_USE_LEGACY_KERAS"):
        monkeypatch.setenv(name, "")  # so that it is as it was afterwards
        monkeypatch.delenv(name)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    return monkeypatch


def decided(monkeypatch, tmp_path, cpuinfo):
    monkeypatch.setattr(processors, "CPUINFO", tmp_path / "cpuinfo")
    if cpuinfo is not None:
        (tmp_path / "cpuinfo").write_text(cpuinfo)
    processor.decide()
    return os.environ.get("TF_ENABLE_ONEDNN_OPTS")


@pytest.mark.parametrize(
    ("cpuinfo", "expected"), [(AVX2, "1"), (AVX, None), ("CPU part\t: 0xd0c\n", None), (None, None)]
)
def test_onednn_goes_by_the_processor(environment, tmp_path, cpuinfo, expected):
    assert decided(environment, tmp_path, cpuinfo) == expected


def test_what_has_to_be_precise_is_computed_without_onednn(environment, tmp_path):
    environment.setattr(processors, "CPUINFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text(AVX2)
    processor.decide(precise=True)
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "0"


def test_what_a_person_has_set_holds(environment, tmp_path):
    environment.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    environment.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=2")
    assert decided(environment, tmp_path, AVX2) == "0"
    assert os.environ["TF_XLA_FLAGS"] == "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit"
    processor.decide()
    assert os.environ["TF_XLA_FLAGS"] == "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit"


def test_nothing_is_set_once_tensorflow_is_imported(environment, tmp_path):
    environment.setitem(sys.modules, "tensorflow", pytest)
    assert decided(environment, tmp_path, AVX2) is None


def test_tensorflow_is_told_to_leave_out_its_framework_of_layers(environment):
    processor.decide()
    assert os.environ["TF_USE_LEGACY_KERAS"] == "1"


@pytest.mark.thorough
def test_tensorflow_comes_without_its_framework_of_layers():
    script = "import sys; from flags import processor, quiet; processor.decide(); quiet.import_tensorflow();"
    script += "print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    assert ended.stdout == "True False\n"
