"""From the action of any policy to a joint goal, by kind of action.

Every kind keeps the same bounds: joint goals stay inside the joints' ranges, and the end effector
of a goal stays inside the workspace, and within ``max_setpoint_error`` of the measured one. The
set-point shaper and the governor come after them.

- ``drive``: the interface.
- ``end_effector``: displacements, rotations and poses of the end effector.
- ``joints``: displacements, positions and velocities of the joints.
- ``physical``: from an action in [-1, 1] to physical values, and back.
- ``choice``: the drive of a manifest.
"""
