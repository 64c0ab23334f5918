"""Benchmarks of skill policies.

- ``collection``: control steps per second, compared with panda-gym.
- ``robustness``: scores far outside the training range.
- ``scores``: scores over several evaluation seeds.
"""
