"""The learning algorithms: losses and gradient steps.

- ``actor_critic``: entropy coefficient and state of every soft actor-critic.
- ``sac``: soft actor-critic, the base of the skill algorithms.
- ``csf``: contrastive successor features.
- ``metra``: METRA.
- ``baselines``: baselines and ablations of skill discovery.
- ``high_level``: soft actor-critic whose actions are skills.
- ``skills``: the prior distribution of skills.
- ``context_sac``: goal-conditioned soft actor-critic with a context encoder.
- ``context_sac_config``: settings of ``context_sac``.
- ``transitions``: transitions for one gradient step of ``context_sac``.
"""
