"""Growth: how time and memory grow with images, batches, files and processes."""
