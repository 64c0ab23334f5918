"""The tasks by name. A new task is a folder beside this file and one line in ``TASKS``.

Only facts are imported, no simulator: ``skill-eval --help`` needs the names at once.
"""

from __future__ import annotations

from skill_robots.tasks.skill_aware.task import SKILL_AWARE
from skill_robots.tasks.tabletop.task import TABLETOP
from skill_robots.tasks.task import Task, TaskOption

TASKS: dict[str, Task] = {task.name: task for task in (TABLETOP, SKILL_AWARE)}
"""Every task by its name in a manifest."""


def find_task(name: str) -> Task:
    """Returns the task of that name.

    Any other name counts as the tabletop: that is the served plant, and its evaluation compares
    the whole plant, not the name.
    """
    return TASKS.get(name, TABLETOP)


def task_of_option(option: TaskOption) -> Task:
    """Returns the task that ``skill-eval --task`` calls ``option``."""
    return next(task for task in TASKS.values() if task.option == option)
