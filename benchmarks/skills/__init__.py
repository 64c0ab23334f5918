"""Benchmarks of skill policies.

- ``collection``: control steps per second, compared with panda-gym.
- ``edges``: cubes brought back from the edges of the goal box.
- ``robustness``: scores far outside the training range.
- ``scores``: scores over several evaluation seeds.
"""
