"""Weights in files of other tools, and of this one: read as named arrays, and recognized as networks."""
