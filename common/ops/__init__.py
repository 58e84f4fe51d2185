"""Operations shared by the graphs of all methods.

randomness    draws and orders (permutations) that are functions of a seed and a position
gradients     sums of gradients, and operations with custom gradients
precision     float32, bfloat16, float64
constants     constants of a graph, each created once
loops         loops that compute sums in the memory of one term
scopes        settings that hold within a scope of a graph
placement     whether a graph is built for a GPU, reformulated for CPUs, or plain
statistics    statistics of whole images, for their tiles
standardization, batch_norm   zero mean and unit variance; TensorFlow's fused operation, where it is faster
reflection    reflected margins
running_statistics            running mean and variance of batch norms
layers        convolutions, norms, dropout, padding
initialization                initial weights by name
blur          anti-aliased resampling by two
spectral_norm, averages       spectrally normalized kernels; moving averages of weights
degradation   layers over a scene: seen = T clear + L
morphology, guided_filter     classical filters
priors, synthesis             classical estimates of layers, and random layers
receptive_field, flops        receptive fields of networks; floating-point operations of a graph
convolution   convolutions, with gradients of any order
dispatch, algorithms         which algorithm computes a convolution: a measured one, or the usual one
formulations  the algorithms: TensorFlow's own, winograd, im2col (matrix products), phases (of strides)
"""
