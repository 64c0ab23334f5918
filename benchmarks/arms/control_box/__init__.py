"""Timing of the simulated control box beside franky-sim, with one client at 1 kHz.

- ``cycle``: the time that one millisecond of the simulated robot takes, without sockets.
- ``client``: a torque loop of pylibfranka that measures the states that it gets.
- ``servers``: the two simulators as processes.
"""
