"""Images: from files to batches in [-1, 1], and back."""

from common.images.dataset import Images

__all__ = ["Images"]
