"""The skill-aware benchmark, for the registry."""

from __future__ import annotations

from skill_robots.tasks.task import Task

SKILL_AWARE = Task(
    name="skill_aware",
    option="skill-aware",
    title="the skill-aware benchmark",
    evaluation="cells",
    start="high",
    remark=(
        "trained on the skill-aware benchmark, whose arm is stiffer and has no set-point shaper: "
        "its scores there say little about this arm"
    ),
)
