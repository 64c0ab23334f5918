"""Benchmarks of real arms and of their simulated control box.

- ``fr3_limits``: policies of the Panda with the limits of an FR3.
- ``geometry``: the links of the published meshes, compared with the collision model.
- ``plant_parity``: free motion of the trained plant, of the driver's law, and of the FR3.
- ``torque_law``: joint impedance as torques at 1 kHz, with libfranka's filters (``plant_parity``).
"""
