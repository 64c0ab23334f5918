"""The endurance benchmark: ``python -m benchmarks.serving.endurance``.

- ``counts``: late ticks and memory.
- ``loaded``: a server under load, compared with a bare loop.
- ``meter``: samples of a running server.
- ``peers``: the client processes.
- ``soak``: a server under normal use.
"""
