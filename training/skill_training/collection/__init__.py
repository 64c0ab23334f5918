"""Collection of episodes in simulated scenes.

- ``skill_collector``: rounds of episodes with skills, for a replay of transitions.
- ``ahead_collector``: the same in a process of its own, one round ahead.
- ``choice_collector``: rounds of episodes of a high level, for a replay of choices.
- ``episode_collector``: rounds of episodes with goals and contexts, for a replay of episodes.
- ``episode_recorder``: the world interface, and a recorder of its episodes.
- ``pixel_collector``: rounds of episodes with frames.
- ``statistics``, ``frame_statistics``: of observations and frames under random actions.
- ``visited_cells``: the cells that a training has visited.
"""
