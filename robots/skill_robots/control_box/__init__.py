"""A simulated Franka control box: unmodified libfranka clients connect to it as to a robot.

- ``wire``: messages and TCP services of the two protocol versions.
- ``model``: the models that a client downloads, URDF and model library.
- ``physics``: arm, hand, table and cube in MuJoCo, and the frames of the end effector.
- ``generators``: from a client's commands to joint set-points, with the published limits.
- ``controllers``: from set-points to torques.
- ``robot``: modes, errors and requests of the robot, one millisecond at a time.
- ``reflexes``, ``hand``, ``settings``, ``state_writer``, ``config``: parts of the robot.
- ``box``: the robot with its services, without a clock.
- ``loop``: the box at 1 kHz; ``deadlines`` and ``counters``: its times.
"""
