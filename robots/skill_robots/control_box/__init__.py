"""A simulated Franka control box: unmodified libfranka clients connect to it as to a robot.

- ``wire``: messages and TCP services of the two protocol versions.
- ``model``: the models that a client downloads, URDF and model library.
- ``loop``: the 1 kHz loop in real time, with its counters.
"""
