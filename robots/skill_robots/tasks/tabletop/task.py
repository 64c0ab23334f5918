"""The tabletop task, for the registry."""

from __future__ import annotations

from skill_robots.tasks.task import Task

TABLETOP = Task(
    name="tabletop",
    option="tabletop",
    title="the tabletop",
    evaluation="skills_and_goals",
    start="low",
    remark=None,
)
