"""Networks.

- ``mlp``: building blocks.
- ``actor``: the stochastic actor.
- ``one_hot``: actor and twin critic for one of several choices.
- ``critic``: twin values and twin successor features.
- ``representation``: the state representation phi.
- ``encoder``: the context encoder and its momentum copy.
- ``learned_policy``: running average of actor, encoder and estimation head.
- ``pixels``: representations of frames.
"""
