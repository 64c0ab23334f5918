"""From commands and measurements to set-points.

- ``arm_controller``: one update a tick: read, execute the command, govern, write.
- ``arm_link``: the connection to the arm: readings, and governed set-points that may be lost.
- ``state_monitor``: the state of the arm, and its silence.
- ``recovery``: when a recoverable fault ends.
- ``policy_runner``: when the policy runs, and how long its recurrent state stays valid.
- ``object_tracker``: object poses that clients report.
- ``pose_prediction``: carries such a pose from its capture to now.
- ``demo``: the commands that a simulated arm executes until a client takes the lease.
- ``simulated_scene``: changes to the contents of a simulated scene.
- ``report``: the outcome of one update.
- ``fault_points``: the hooks for fault injection.
"""
