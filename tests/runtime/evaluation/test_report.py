"""skill-eval refuses a policy of another task or in other units, and lists other differences."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import onnx
import pytest
from tests.support.policy_files import push_manifest, write_policy_file
from tests.support.skill_aware_policy import skill_aware_manifest, write_skill_aware_policy_file

from skill_proto.manifest import PolicyManifest
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_robots.tasks.baselines import make_baseline
from skill_robots.tasks.skill_aware.task import SKILL_AWARE
from skill_robots.tasks.tabletop.task import TABLETOP
from skill_runtime.evaluation.options import EvaluationOptions
from skill_runtime.evaluation.report import check_task, identity, load, title

STILL = make_baseline("still", 3)


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


@pytest.mark.parametrize("task", ["tabletop", "skill-aware"])
def test_a_manifest_in_other_units_is_refused_in_every_task(
    tmp_path: Path, task: Literal["tabletop", "skill-aware"]
) -> None:
    manifest = push_manifest() if task == "tabletop" else skill_aware_manifest()
    fields = json.loads(manifest.to_json())
    fields["observation"][0]["unit"] = "mm"
    path = write_skill_aware_policy_file(tmp_path)
    if task == "tabletop":
        path = write_policy_file(tmp_path, manifest=json.dumps(fields))
    else:
        whole = onnx.load(path)
        whole.metadata_props[0].value = json.dumps(fields)
        onnx.save(whole, path)
    with pytest.raises(UnsupportedPolicyError, match="has the unit 'mm', expected 'm'"):
        load(EvaluationOptions(model=path, task=task), 3)


def test_the_remarks_stand_below_the_title() -> None:
    manifest = push_manifest(plant=push_manifest().plant.model_dump() | {"robot": "ur5e"})
    report = identity(EvaluationOptions(baseline="still"), STILL, manifest)
    assert report["remarks"] == ["trained on the robot 'ur5e', this arm is 'panda'"]
    assert title(report) == ("push_by_hand\nnote: trained on the robot 'ur5e', this arm is 'panda'")
    assert identity(EvaluationOptions(baseline="still"), STILL, None)["remarks"] == []


def test_the_digest_is_that_of_the_bytes_that_were_evaluated(tmp_path: Path) -> None:
    path = write_policy_file(tmp_path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    options = EvaluationOptions(model=path)
    policy, manifest = load(options, 3)
    path.unlink()  # a run takes minutes; a new training may replace the file meanwhile
    assert identity(options, policy, manifest)["model_sha256"] == digest
    assert identity(EvaluationOptions(baseline="still"), STILL, None)["model_sha256"] is None
