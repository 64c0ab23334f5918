"""Training data in raw units.

- ``replay``: a ring buffer of transitions.
- ``episodes``: whole episodes, and a replay of episodes.
- ``goal_task``: interface of a goal-conditioned task.
"""
