"""Benchmarks of the server.

- ``endurance``: late ticks and memory over a long run.
- ``failures``: time until the arm is at rest after a failure.
- ``inference``: duration of one inference (``tick``).
- ``tick``: execution time and wake-up latency of a tick.
- ``tick_trace``: Python calls of one tick.
"""
