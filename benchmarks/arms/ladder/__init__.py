"""The ladder of arms: ``python -m benchmarks.arms.ladder``.

- ``journal``: the episodes of one entry and seed in a file that survives a killed program.
- ``progress``: a bar with the expected time.
- ``record``: the data of one episode.
- ``runner``: runs the episodes that a journal lacks.
- ``scores``: scores of an entry, from its records.
- ``settings``: options of the program, and the facts that must not change within an entry.
- ``table``: intervals, the table, and successes lost from one rung to another.
"""
