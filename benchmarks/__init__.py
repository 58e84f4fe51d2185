"""Measurements of speed and quality, and tools that make datasets. Each has `python -m benchmarks.NAME --help`."""
