"""The goal stage: a skill policy learns to bring the cube to rest at a goal.

- ``config``: settings.
- ``world``: scenes with goals and contexts that change.
- ``task``: goal features and reward.
- ``start_actor``: initial weights from a policy file.
- ``evaluation``: share of cubes at rest in time, and accuracy of the estimates.
- ``recipe``: the recipe, its learner and its manifest.
"""
