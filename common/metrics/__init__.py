"""Metrics: of a pair of images, of two sets of images, and by a feature network.

metrics    L1, PSNR, SSIM; accuracies of labels
distances  sliced Wasserstein, Fréchet and kernel distances of two sets
features   a feature network that the user provides
"""
