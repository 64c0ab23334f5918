"""From the commands of a client to joint set-points, and the limits that the commands must keep.

- ``joint_motion``: a joint set-point with its derivatives.
- ``generator``: the interface of a motion generator.
- ``joint``: joint position and joint velocity.
- ``desired_pose``: pose and Jacobian of a joint set-point.
- ``cartesian_motion``: a Cartesian set-point with its derivatives.
- ``cartesian``: Cartesian pose and Cartesian velocity.
- ``asynchronous``: rare joint targets between which the robot interpolates.
- ``joint_limits``, ``cartesian_limits``: the limits.
- ``torque``: the limits of commanded torques.
- ``braking``: set-points to rest.
- ``move``: one motion of a client, from its request to its last command.
"""
