"""Metrics: of a pair of images, of one alone, of two sets of images, and by a feature network.

metrics       L1, PSNR, SSIM; accuracies of labels
no_reference  contrast, gradient, dark channel and colourfulness of a photograph
distances     sliced Wasserstein, Fréchet and kernel distances of two sets
features      a feature network that the user provides
"""
