"""Metrics of a pair of images, of a single image, and of two sets of images; feature networks.

metrics       L1, PSNR, SSIM
no_reference  contrast, gradient, dark channel and colourfulness of a photograph
distances     sliced Wasserstein, Fréchet and kernel distances of two sets
features      a feature network that the user provides
"""
