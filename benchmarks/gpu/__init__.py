"""What a GPU has to show: agreement with the CPU, exact resuming, checkpoints across devices, speed, memory."""
