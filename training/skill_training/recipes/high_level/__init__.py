"""Hierarchical control: a high level that picks skills of a frozen low level.

- ``config``: settings.
- ``low_level``: the skills of a policy file.
- ``scenes``: scenes of a task, stepped by skills.
- ``controls``: random skills, and the skill towards the goal.
- ``evaluation``: scores of a task, with the controls beside them.
- ``manifest``: the manifest.
- ``recipe``: the recipe and its learner.
"""
