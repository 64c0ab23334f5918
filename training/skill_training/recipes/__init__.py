"""Kinds of training runs, one folder each.

- ``recipe``: the interface of a recipe.
- ``registry``: all recipes, by algorithm.
- ``discovery``: CSF and METRA on the tabletop.
- ``goal``: a skill policy learns to bring the cube to rest at a goal.
- ``skill_aware``: TESAC, CCM, SaTESAC and SaCCM on the skill-aware benchmark.
- ``context_learner``: base of learners with a context.
- ``checks``: checks of settings.
- ``manifest_parts``: parts of manifests that recipes share.
"""
