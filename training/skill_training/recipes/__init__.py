"""Kinds of training runs, one folder each.

- ``recipe``: the interface of a recipe.
- ``registry``: all recipes, by algorithm.
- ``discovery``: CSF and METRA on the tabletop.
- ``goal``: a skill policy learns to bring the cube to rest at a goal.
- ``skill_aware``: TESAC, CCM, SaTESAC and SaCCM on the skill-aware benchmark.
- ``high_level``: a high level picks skills of a frozen policy for a downstream task.
- ``policy_content``: content of a policy file that another training begins with.
- ``context_learner``: base of learners with a context.
- ``checks``: checks of settings.
- ``manifest_parts``: parts of manifests that recipes share.
"""
