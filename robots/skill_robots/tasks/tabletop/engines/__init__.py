"""The physics engines of the tabletop.

- ``physics``: the interface.
- ``mujoco_physics``: the engine of training.
- ``bullet_physics``: panda-gym's robot on PyBullet, a second opinion on the same plant.
- ``make``: chooses one.
"""
