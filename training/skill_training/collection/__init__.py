"""Collection of episodes in simulated scenes.

- ``skill_collector``: rounds of episodes with skills, for a replay of transitions.
- ``choice_collector``: rounds of episodes of a high level, for a replay of choices.
- ``episode_collector``: rounds of episodes with goals and contexts, for a replay of episodes.
- ``episode_recorder``: the world interface, and a recorder of its episodes.
- ``pixel_collector``: rounds of episodes with frames; ``frame_statistics``: their statistics.
"""
