"""Checks on a GPU: agreement with the CPU, bit-exact resuming, checkpoints across devices, speed, memory."""
