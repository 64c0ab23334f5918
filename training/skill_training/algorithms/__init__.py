"""One algorithm, one file: losses, update, nothing else."""
