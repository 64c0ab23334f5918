"""Timing of the simulated control box beside franky-sim, with one client at 1 kHz.

- ``client``: a torque loop of pylibfranka that measures the states that it gets.
- ``servers``: the two simulators as processes.
"""
