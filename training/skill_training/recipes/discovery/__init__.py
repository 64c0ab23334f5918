"""CSF and METRA on the tabletop.

- ``config``: settings.
- ``policy``: builds algorithm and policy.
- ``evaluation``: rollouts and metrics of ``skill-eval``.
- ``manifest``: the manifest.
- ``recipe``: the recipe and its learner.
"""
