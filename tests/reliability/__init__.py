"""What a training outlives: kills, full disks, broken files, and who else may be there."""
