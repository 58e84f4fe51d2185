"""Operations shared by the graphs of all methods.

randomness    draws and orders (permutations) that are functions of a seed and a position
gradients     sums of gradients, and operations with gradients of our own
precision     float32, bfloat16, float64
constants     constants of a graph, each made once
scopes        settings that hold within a scope of a graph
placement     whether a graph is built for a GPU
statistics    of whole images, which tiles take from the whole
layers        convolutions, norms, dropout, padding
spectral_norm, averages       kernels divided by their norm; moving averages of weights
degradation   layers over a scene: seen = T clear + L
morphology, guided_filter     classical filters
priors, synthesis             layers by classical estimates, and layers drawn at random
receptive_field, flops        how much of an image a score sees; floating-point operations of a graph
convolution   chooses how a convolution is computed, by its size
formulations  the ways that it chooses from: as TensorFlow has it, by winograd, by im2col (matrix products)
"""
