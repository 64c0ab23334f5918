"""The tabletop evaluation: metrics, contexts, and refusal of a policy for another plant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx.parser
import pytest
from tests.support.lift_policy import GRIPPER, lift_manifest

from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_robots.tasks.baselines import make_baseline
from skill_robots.tasks.tabletop.compatibility import check_fits_tabletop
from skill_runtime.evaluation.tabletop import (
    METRICS,
    EvaluationSettings,
    evaluate,
    tabletop_config,
    total_steps,
)
from skill_runtime.policy import OnnxPolicy, load_manifest

PolicyFileFactory = Callable[..., Path]
QUICK = EvaluationSettings(skills=4, episodes=2, goals=8)


def test_the_hand_written_pusher_pushes(policy_file: Path) -> None:
    policy = OnnxPolicy(policy_file)
    result = evaluate(policy, policy.manifest, QUICK)
    metrics = {name: value for name, value in result.metrics.items() if value is not None}
    of_the_gripper = ("lifted_share", "height_cells_2cm")
    assert list(metrics) == [name for name in METRICS if name not in of_the_gripper]
    assert metrics["moved_share_10cm"] >= 0.75
    assert metrics["goal_share_5cm"] >= 0.75
    assert metrics["direction_consistency"] > 0.9


def test_the_same_seed_gives_the_same_numbers(policy_file: Path) -> None:
    policy = OnnxPolicy(policy_file)
    first = evaluate(policy, policy.manifest, QUICK)
    again = evaluate(policy, policy.manifest, QUICK)
    other = evaluate(policy, policy.manifest, EvaluationSettings(skills=4, goals=8, seed=1))
    assert first.metrics == again.metrics
    assert first.metrics != other.metrics


def test_the_still_baseline_scores_zero() -> None:
    result = evaluate(make_baseline("still", 3), None, QUICK)
    assert result.metrics["moved_share_3cm"] == 0.0
    assert result.metrics["displacement_cells_2cm"] == 1.0
    assert result.metrics["governor_interventions"] == 0


def test_the_reported_steps_sum_to_the_announced_total(policy_file: Path) -> None:
    taken: list[int] = []
    policy = OnnxPolicy(policy_file)
    evaluate(policy, policy.manifest, QUICK, on_steps=taken.append)
    assert sum(taken) == total_steps(policy.manifest, QUICK)


def test_contexts_come_from_the_settings_then_the_manifest_then_the_defaults(
    tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    ranges = {
        "cube_mass": {"low": 0.1, "high": 0.2, "unit": "kg"},
        "cube_table_friction": {"low": 0.3, "high": 0.4, "unit": "1"},
    }
    manifest = load_manifest(make_policy_file(tmp_path, trained_on=ranges))
    task = tabletop_config(manifest, EvaluationSettings())
    assert (task.mass, task.friction) == ((0.1, 0.2), (0.3, 0.4))
    chosen = tabletop_config(manifest, EvaluationSettings(mass=(3.0, 4.0), start="high"))
    assert (chosen.mass, chosen.friction, chosen.start) == ((3.0, 4.0), (0.3, 0.4), "high")
    empty = load_manifest(make_policy_file(tmp_path, trained_on={}))
    assert tabletop_config(empty, EvaluationSettings()).mass == (0.4, 1.6)
    grams = {"cube_mass": {"low": 400.0, "high": 1600.0, "unit": "kg"}}
    beyond = load_manifest(make_policy_file(tmp_path, trained_on=grams))
    assert tabletop_config(beyond, EvaluationSettings()).mass == (0.4, 1.6)


def test_a_foreign_policy_without_skill_and_goal_is_scored(
    tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    path = make_policy_file(
        tmp_path,
        filename="walk.onnx",
        beside=True,
        model=onnx.parser.parse_model(
            """<ir_version: 6, opset_import: ["" : 11]>
            g (float[1,28] obs) => (float[1,3] actions)
            <int64[3] towards = {19, 20, 21}, float gain = {10}>
            { far = Gather <axis = 1> (obs, towards)
              actions = Mul (far, gain) }"""
        ),
        skill={"kind": "none", "size": 0},
        goal=None,
        tensors={"inputs": {"observation": "obs"}, "outputs": {"action": "actions"}},
    )
    policy = OnnxPolicy(path)
    result = evaluate(policy, policy.manifest, QUICK)
    assert result.goals is None
    assert (result.metrics["moved_share_3cm"] or 0.0) > 0.2  # the hand goes to the cube


def test_a_policy_without_goals_has_no_goal_metrics(policy_file: Path) -> None:
    manifest = load_manifest(policy_file).model_copy(update={"goal": None})
    result = evaluate(make_baseline("iid", 3), manifest, QUICK)
    assert result.goals is None
    assert result.metrics["goal_share_5cm"] is None
    assert result.metrics["moved_share_3cm"] is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"control_rate_hz": 50.0}, "50 Hz, the tabletop at 25 Hz; run it with skill-serve"),
        ({"action.scale": 0.02}, "evaluate it on the plant it was trained on"),
        ({"plant.velocity_limit_share": 0.5}, "limit_share=0.5"),
        ({"plant.displacement_origin": "measured"}, "origin='measured'"),
    ],
)
def test_a_policy_for_another_plant_is_refused(
    policy_file: Path, changes: dict[str, Any], message: str
) -> None:
    manifest = load_manifest(policy_file)
    if "action.scale" in changes:
        part = manifest.action[0].model_copy(update={"scale": changes["action.scale"]})
        changes = {"action": (part,)}
    (name, value), *_ = changes.items()
    if name.startswith("plant."):
        plant = manifest.plant.model_copy(update={name.removeprefix("plant."): value})
        changes = {"plant": plant}
    with pytest.raises(UnsupportedPolicyError, match=message):
        evaluate(make_baseline("iid", 3), manifest.model_copy(update=changes), QUICK)


def test_a_policy_that_drives_the_gripper_is_scored_with_it() -> None:
    settings = EvaluationSettings(skills=2, episodes=1, goals=0)
    result = evaluate(make_baseline("still", 4), lift_manifest(), settings)
    assert result.config.gripper
    assert result.metrics["lifted_share"] == 0.0
    assert result.metrics["height_cells_2cm"] == 1.0
    with pytest.raises(UnsupportedPolicyError, match="drives the gripper, which is closed here"):
        check_fits_tabletop(lift_manifest())
    narrow = lift_manifest(
        action=[lift_manifest().model_dump()["action"][0], GRIPPER | {"scale": 0.04}]
    )
    with pytest.raises(UnsupportedPolicyError, match=r"for a gripper_width up to 0\.08 m"):
        evaluate(make_baseline("still", 4), narrow, settings)


def test_a_recurrent_goal_policy_is_scored_on_goals_only(goal_file: Path) -> None:
    policy = OnnxPolicy(goal_file)
    result = evaluate(policy, policy.manifest, QUICK)
    assert result.skills is None
    assert result.metrics["moved_share_3cm"] is None
    rest = result.metrics["goal_rest_share_3cm_by_2400ms"]
    reached = result.metrics["goal_share_5cm"]
    assert rest is not None
    assert reached is not None
    assert reached >= 0.75
    assert 0.0 <= rest <= 1.0
    assert evaluate(policy, policy.manifest, QUICK).metrics == result.metrics
