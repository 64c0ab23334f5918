"""Benchmarks of the governor, and faults planted in the server.

- ``governed_scenes``: evaluations in which each scene has a governor (``governor``).
- ``governor``: refusals and headroom in whole evaluations.
- ``planted``: planted faults that the fault-injection run must find.
- ``press``: contact force of the arm on the table (``governor``).
- ``ruckig_braking``: the braking planner, compared with Ruckig.
"""
