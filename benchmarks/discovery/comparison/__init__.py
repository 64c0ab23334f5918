"""Comparison of settings of skill discovery: the rows of a table, trained and scored.

- ``rows``: the compared settings.
- ``study``: trains and scores rows; ``pool``: in several processes.
- ``in_world``: the program that compares rows in any world.
- ``cost``: processor time of an environment step, for comparisons at equal compute.
- ``scoring``: scores of one policy with one evaluation seed.
- ``phi``: the representation of a policy file or a run.
- ``tables``: tables and bar pictures.
"""
