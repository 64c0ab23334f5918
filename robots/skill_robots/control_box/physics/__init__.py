"""The simulated mechanics of the robot.

- ``scene``: the MuJoCo model, with torque motors and 1 ms steps.
- ``plant``: arm, hand, table and cube, and what the robot's sensors measure.
- ``frames``: frames and masses beyond the flange.
"""
