"""Shared operations: what the graph of any method is made of.

randomness    draws that are functions of a seed and a position
gradients     sums of gradients, and operations with gradients of our own
precision     float32, bfloat16, float64
constants     constants of a graph, each made once
scopes        names of operations
layers        convolutions, norms, dropout, padding
spectral_norm, averages       kernels divided by their norm; moving averages of weights
receptive_field               how much of an image a score sees
convolution   which way a convolution is computed: formulations, winograd, im2col
"""
