"""skill-eval refuses a policy of another task, and names the right option."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.skill_aware_policy import skill_aware_manifest, write_skill_aware_policy_file

from skill_proto.manifest import PolicyManifest
from skill_robots.motion.policy_adapter import UnsupportedPolicyError
from skill_robots.tasks.skill_aware.task import SKILL_AWARE
from skill_robots.tasks.tabletop.task import TABLETOP
from skill_runtime.evaluation.options import EvaluationOptions
from skill_runtime.evaluation.report import check_task, load


def test_a_policy_of_another_task_is_refused(make_manifest: Callable[..., PolicyManifest]) -> None:
    tabletop, skill_aware = make_manifest(), skill_aware_manifest()
    check_task(tabletop, TABLETOP)
    check_task(skill_aware, SKILL_AWARE)
    with pytest.raises(
        UnsupportedPolicyError,
        match="reach was trained on the task 'skill_aware', not on the tabletop; "
        "evaluate it with --task skill-aware",
    ):
        check_task(skill_aware, TABLETOP)
    with pytest.raises(UnsupportedPolicyError, match="evaluate it with --task tabletop"):
        check_task(tabletop, SKILL_AWARE)


def test_the_loaded_policy_must_be_of_the_chosen_task(tmp_path: Path) -> None:
    path = write_skill_aware_policy_file(tmp_path)
    _, manifest = load(EvaluationOptions(model=path, task="skill-aware"), 4)
    assert manifest == skill_aware_manifest()
    with pytest.raises(UnsupportedPolicyError, match="not on the tabletop"):
        load(EvaluationOptions(model=path), 3)
