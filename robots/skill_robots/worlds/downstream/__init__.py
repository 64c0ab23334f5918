"""Downstream tasks: worlds with a reward, for a high level that chooses among learned skills.

- ``config``: the tasks of the METRA and CSF papers as rows, and goals in any other world.
- ``task_world``: the interface of a world with a task.
- ``goals``: goals for the coordinates of a world.
- ``hurdles``: HalfCheetah with bars across its way.
- ``registry``: makes the world of a task.
- ``held_skills``: the world of the high level, whose action is a skill that is held.
- ``evaluation``: episodes of a high level, and their scores.
"""
