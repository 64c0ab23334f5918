"""Skill discovery: CSF, METRA and baselines, on the tabletop or in any other world.

- ``config``: settings.
- ``inputs``: normalisation, and inputs of phi, measured before training.
- ``policy``: builds algorithm and policy.
- ``evaluation``: rollouts and metrics of ``skill-eval``.
- ``lifting``: policies that drive the gripper.
- ``manifest``: the manifest.
- ``recipe``: the recipe and its learner.
"""
