"""Benchmarks of the simulated control box.

- ``cycle``: the time that one millisecond of the simulated robot takes.
"""
