"""The tabletop task: push or lift a cube on the served plant.

- ``task``: its entry in the registry.
- ``compatibility``: checks that a policy was trained on this plant.
- ``model``: the MuJoCo model of arm, table and cube.
- ``engines``: the scenes in a physics engine, MuJoCo or PyBullet.
- ``tabletop``: n scenes with domain randomisation, stepped together.
- ``starts``: places of hand and cube at the start of an episode, and the gripper's opening.
- ``sensor_noise``: measurement errors.
- ``simulated_arm``: one scene as an arm that skill-serve moves.
- ``goal_box``: the goals that a policy declares, and the return of cubes from its edges.
- ``rollouts``: runs a policy, and records ``trajectories``.
- ``trajectories``: recorded rollouts.
- ``metrics``: scores of recorded rollouts.
- ``setpoint_audit``: counts set-points that the governor would refuse.
"""
