"""Common parts of the benchmarks.

- ``figures``: style of the figures.
- ``inputs``: policy files, names of runs and results.
- ``report``: tables on the terminal, and results as JSON.
"""
