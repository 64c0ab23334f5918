"""Thousands of virtual robots at policy services: ``python -m benchmarks.serving.load``."""
