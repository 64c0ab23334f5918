"""The skill-aware benchmark: TESAC, CCM, SaTESAC and SaCCM.

- ``config``: settings.
- ``world``: scenes with contexts from cells or from a range.
- ``task``: goal features and reward.
- ``demonstrations``: episodes of a controller.
- ``skill_demonstrator``: a controller of discovered skills.
- ``policy``: the policy that is evaluated.
- ``manifest``: manifest and card texts.
- ``recipe``: the recipe and its learner.
"""
