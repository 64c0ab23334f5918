"""The tasks: scenes in which a policy acts, with rollouts and scores. Each task is a folder.

- ``tabletop``: push a cube on the served plant.
- ``skill_aware``: bring a cube of unknown mass and friction to a goal, on panda-gym's arm.
- ``task``, ``registry``: the facts of each task that serving and evaluation need.
- ``beside``: places of a hand beside a cube.
- ``policy``: the interface of a policy.
- ``baselines``: random policies.
"""
