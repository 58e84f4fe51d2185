"""What TensorFlow prints while it is imported is held back."""

import os

from common import tensorflow as tf
from flags import quiet


def test_tensorflow_is_imported_in_silence(monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    monkeypatch.setattr(tf, "importing", None)
    quiet.import_tensorflow()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3"
    assert tf.importing is quiet._silently
