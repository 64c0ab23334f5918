"""Context encoders on the reward of any world with hidden quantities: ``skill-train context``.

- ``config``: settings, and the objectives by name.
- ``quantities``: hidden quantities as an encoder estimates them.
- ``evaluation``: returns by set of contexts, and R2 of the quantities.
- ``manifest``: manifest and card texts.
- ``recipe``: the recipe and its learner.
"""
