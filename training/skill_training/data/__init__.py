"""Training data in raw units.

- ``replay``: a ring buffer of transitions.
- ``choices``: a replay of a high level's choices.
- ``episodes``: whole episodes, and a replay of episodes.
- ``goal_task``: interface of a goal-conditioned task.
- ``frame_store``: frames, as bytes; ``pixel_replay``: a replay with frames.
"""
