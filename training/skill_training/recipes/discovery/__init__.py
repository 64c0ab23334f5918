"""Skill discovery: CSF, METRA and baselines, on the tabletop or in any other world.

- ``config``: settings; ``presets``: rows of them, of papers and our own.
- ``inputs``: normalisation, and inputs of phi, measured before training.
- ``published``: statistics of observations that were published with METRA.
- ``policy``: builds algorithm and policy.
- ``evaluation``: rollouts and metrics of ``skill-eval``.
- ``lifting``: policies that drive the gripper.
- ``pixels``: a representation of frames.
- ``texts``: texts of help, curves, progress bar and card.
- ``manifest``: the manifest.
- ``recipe``: the recipe and its learner.
"""
