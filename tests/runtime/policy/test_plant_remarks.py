"""Differences of the plant are remarked on, one per string, with both values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skill_proto.manifest import PolicyManifest
from skill_robots.franka.specs import PANDA
from skill_robots.tasks.skill_aware.task import SKILL_AWARE
from skill_runtime.policy import load_manifest
from skill_runtime.policy.plant_remarks import plant_remarks, usable_range

MakeManifest = Callable[..., PolicyManifest]
MODELS = Path(__file__).parents[3] / "models"


def with_plant(make_manifest: MakeManifest, **changes: Any) -> PolicyManifest:  # noqa: ANN401  fields have many types
    return make_manifest(plant=make_manifest().plant.model_dump() | changes)


def test_the_plant_of_training_gives_no_remark(make_manifest: MakeManifest) -> None:
    assert plant_remarks(make_manifest(), PANDA, 0.005) == []


@pytest.mark.parametrize("name", ["csf_panda", "goal_panda", "metra_panda"])
def test_the_shipped_pushing_files_give_no_remark(name: str) -> None:
    assert plant_remarks(load_manifest(MODELS / f"{name}.onnx"), PANDA, 0.005) == []


def test_the_skill_aware_file_gives_its_remark_on_the_tabletop_only() -> None:
    manifest = load_manifest(MODELS / "saccm_panda.onnx")
    (remark,) = plant_remarks(manifest, PANDA, 0.001)
    assert "skill-aware benchmark" in remark
    assert plant_remarks(manifest, PANDA, 0.005, SKILL_AWARE) == []


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ({"robot": "ur5e"}, "trained on the robot 'ur5e', this arm is 'panda'"),
        (
            {"task": "door_opening"},
            "trained on the task 'door_opening', which is treated as the tabletop",
        ),
        (
            {"joint_damping": [490.0, 490.0, 490.0, 490.0, 316.0, 245.0, 141.0]},
            "trained with joint damping 490/490/490/490/316/245/141 N m s/rad, this arm has "
            "48.99/48.99/48.99/48.99/31.62/24.49/14.14",
        ),
        (
            {"joint_damping": [1.0] * 6, "joint_stiffness": [600.0] * 6},
            "trained with joint stiffness 600/600/600/600/600/600 N m/rad, this arm has "
            "600/600/600/600/250/150/50",
        ),
        (
            {"physics_step_s": 0.02},
            "trained with a physics step of 20 ms, this arm gets a set-point every 5 ms",
        ),
        (
            {"velocity_limit_share": 0.5},
            "trained with 0.5 of the arm's limits in the set-point shaper, the plant of "
            "docs/plant.md has 0.9",
        ),
        (
            {"workspace_low_m": (-0.5, -0.32, -0.1)},
            "its workspace goes beyond that of this arm's table in x, z: -0.5/-0.32/-0.1 to "
            "0.15/0.32/0.25 m, not -0.3/-0.32/0.015 to 0.15/0.32/0.25 m",
        ),
        (
            {"max_setpoint_error_m": 0.12},
            "its max_setpoint_error_m 0.12 m allows pushes 2 times as strong as the 0.06 m of "
            "docs/plant.md",
        ),
    ],
)
def test_each_difference_is_named(
    make_manifest: MakeManifest, changes: dict[str, Any], remark: str
) -> None:
    assert remark in plant_remarks(with_plant(make_manifest, **changes), PANDA, 0.005)


def test_a_workspace_within_the_table_gives_no_remark(make_manifest: MakeManifest) -> None:
    manifest = with_plant(make_manifest, workspace_low_m=(-0.1, -0.1, 0.05))
    assert plant_remarks(manifest, PANDA, 0.005) == []


def test_another_servo_rate_or_policy_rate_is_named(make_manifest: MakeManifest) -> None:
    assert plant_remarks(make_manifest(), PANDA, 0.001) == [
        "trained with a physics step of 5 ms, this arm gets a set-point every 1 ms"
    ]
    assert plant_remarks(make_manifest(control_rate_hz=50.0), PANDA, 0.005) == [
        "acts at 50 Hz, the plant of docs/plant.md at 25 Hz"
    ]


@pytest.mark.parametrize(
    ("scale", "remark"),
    [
        (0.5, "displaces the end effector by 0.5 m, but a control step moves it by at most 0.068"),
        (4e-5, "displaces the end effector by only 4e-05 m"),
    ],
)
def test_a_scale_that_does_not_suit_the_arm_is_named(
    make_manifest: MakeManifest, scale: float, remark: str
) -> None:
    action = make_manifest().action[0].model_dump() | {"scale": scale}
    (found,) = plant_remarks(make_manifest(action=[action]), PANDA, 0.005)
    assert remark in found


def test_a_range_that_cannot_be_drawn_is_named(make_manifest: MakeManifest) -> None:
    mass = {"low": 400.0, "high": 1600.0, "unit": "kg"}
    friction = {"low": 0.2, "high": 0.8, "unit": "1"}
    manifest = make_manifest(trained_on={"cube_mass": mass, "cube_table_friction": friction})
    (remark,) = plant_remarks(manifest, PANDA, 0.005)
    assert remark == (
        "trained on cube_mass 400 to 1600 kg, which is beyond the 0.001 to 100 kg of the "
        "simulation: its default range is used"
    )
    assert usable_range(manifest, "cube_mass") is None
    assert usable_range(manifest, "cube_table_friction") == (0.2, 0.8)
    assert usable_range(make_manifest(trained_on={}), "cube_mass") is None
