"""The simulated mechanics of the robot.

- ``scene``: the MuJoCo model, with torque motors and 1 ms steps.
- ``plant``: arm, hand, table and cube, and the measurements of the robot's sensors.
- ``frames``: frames and masses beyond the flange.
"""
