"""Benchmarks: programs that measure the figures of docs/results.md.

Each program runs from the root of the repository, as ``python -m benchmarks.serving.tick``. See
benchmarks/README.md for the list.

- ``context``: goal policies and their context encoders.
- ``discovery``: skill discovery in any world: comparisons, curves, distances of phi.
- ``lib``: inputs, tables and figures of all benchmarks.
- ``plant``: the simulated cube, table and arm.
- ``safety``: the governor, and faults planted in the server.
- ``serving``: timing, load and failures of the server.
- ``skill_aware``: the skill-aware benchmark.
- ``skills``: skill policies, and the speed of collection.
"""
