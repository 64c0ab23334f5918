"""Contrastive learning of a context: cube mass and table friction, inferred from interaction.

- ``contrastive``: the losses.
- ``sampling``: choice of trajectories, one class per published method.
- ``objective``: the contrastive term of a gradient step.
"""
