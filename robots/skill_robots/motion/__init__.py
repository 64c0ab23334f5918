"""From a policy's action to a checked set-point.

- ``inverse_kinematics``: joint positions for a pose of the end effector.
- ``action``: decodes end-effector goals into joint goals.
- ``drives``: the kinds of actions: displacements, poses and velocities of end effector and joints.
- ``setpoint_shaper``: filters joint goals to set-points of limited velocity, acceleration and jerk.
- ``policy_adapter``: combines both for one served arm, and builds the policy's observation.
- ``policy_support``: refuses a policy whose manifest contradicts the arm.
- ``governor``: checks each set-point, and keeps a verified fail-safe trajectory.
- ``limits``: the limits of a set-point, of a step between two, and of a braking trajectory.
- ``braking``: plans the shortest braking trajectory.
"""
