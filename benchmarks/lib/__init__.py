"""Common parts of the benchmarks.

- ``figures``: style of the figures.
- ``files``: files to write, checked before the work and replaced as a whole.
- ``inputs``: policy files, names of runs and results.
- ``program``: start and end of every benchmark.
- ``ranges``: ranges of flags.
- ``report``: tables on the terminal, and results as JSON.
"""
