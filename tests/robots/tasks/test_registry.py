"""The registry of tasks: names and options."""

from __future__ import annotations

import subprocess
import sys
from typing import get_args

from skill_robots.tasks.registry import TASKS, find_task, task_of_option
from skill_robots.tasks.skill_aware.task import SKILL_AWARE
from skill_robots.tasks.tabletop.task import TABLETOP
from skill_robots.tasks.task import TaskOption


def test_every_option_has_its_task() -> None:
    options = get_args(TaskOption)
    assert options == tuple(task.option for task in TASKS.values())
    assert [task_of_option(option).option for option in options] == list(options)


def test_names_are_those_of_the_shipped_manifests() -> None:
    assert TASKS == {"tabletop": TABLETOP, "skill_aware": SKILL_AWARE}
    assert find_task("skill_aware") is SKILL_AWARE


def test_an_unknown_name_counts_as_the_tabletop() -> None:
    assert find_task("pour") is TABLETOP


def test_the_registry_imports_no_simulator() -> None:
    code = (
        "import sys\n"
        "import skill_robots.tasks.registry\n"
        "assert not {'mujoco', 'onnxruntime', 'pybullet', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
