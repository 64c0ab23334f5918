"""Training and serving on CUDA beside the CPU of the same machine."""
