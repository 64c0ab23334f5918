"""Benchmarks of skill discovery: the evaluations of the METRA and CSF papers, and controls.

- ``ablations``: CSF with one part changed at a time, in any world.
- ``baselines``: all algorithms and two controls, in any world.
- ``comparison``: trains and scores the rows of a table.
- ``curves``: coverage during training.
- ``panda``: representations on the tabletop, and aids to exploration.
- ``pixels``: processor time of frames, and of a representation of them.
- ``temporal_distance``: whether phi keeps the distance in time.
"""
