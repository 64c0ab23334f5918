"""The skill-aware benchmark: bring a cube to a goal, in 20 cells of friction and mass.

Each module imports only from those above it:

- ``task``: its entry in the registry.
- ``scenes``: constants, starts, contacts, and the interface of a batch of scenes.
- ``bullet_scenes``: the scenes on PyBullet, as published.
- ``bullet_kinematics``: Bullet's inverse kinematics, batched in NumPy.
- ``mujoco_model``, ``mujoco_scenes``: the scenes on MuJoCo, a twin of those on PyBullet.
- ``engines``: makes the scenes of either engine.
- ``near_starts``: starts of training with the hand at the cube.
- ``benchmark``: cells, splits, success and the evaluation.
- ``compatibility``: checks that a policy fits the benchmark.
- ``scripted``: controllers without learning.
"""
