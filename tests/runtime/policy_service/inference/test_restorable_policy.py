"""A step that is undone has no effect on later ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from skill_runtime.policy_service.inference.restorable_policy import RestorablePolicy

MODELS = Path(__file__).parents[4] / "models"
SLOTS = [4, 0, 2]


@pytest.mark.parametrize("name", ["goal_panda", "saccm_panda"])
def test_steps_that_are_undone_leave_no_trace(name: str) -> None:
    """Over more steps than the trained horizon, so that standby states begin and take over."""
    plain = RestorablePolicy(MODELS / f"{name}.onnx", slots=6)
    undone = RestorablePolicy(MODELS / f"{name}.onnx", slots=6)
    draw = np.random.default_rng(0)
    shape = len(SLOTS), plain.manifest.observation_size
    goal = np.full((len(SLOTS), plain.manifest.goal_size), 0.1)
    for step in range(130):
        observation = draw.normal(0, 0.1, shape)
        saved = undone.save(SLOTS)
        undone.step_slots(SLOTS, draw.normal(0, 10, shape), goal=goal)
        undone.restore(saved, slice(0, 1))
        undone.restore(saved, slice(1, 3))
        expected = plain.step_slots(SLOTS, observation, goal=goal)
        output = undone.step_slots(SLOTS, observation, goal=goal)
        assert (output.action == expected.action).all(), step
        assert output.context is not None
        assert (output.context == expected.context).all(), step


def test_the_other_rows_of_a_step_are_kept(policy_file: Path) -> None:
    policy = RestorablePolicy(policy_file, slots=6)
    before = policy.save(SLOTS)
    observation, skill = np.zeros((3, 28)), np.tile([1.0, 0.0], (3, 1))
    policy.step_slots(SLOTS, observation, skill, previous_action=np.full((3, 3), 0.5))
    after = policy.save(SLOTS)
    assert (after.previous_action != before.previous_action).any(axis=1).all()
    policy.restore(before, slice(1, 2))
    mixed = policy.save(SLOTS).previous_action
    assert (mixed[1] == before.previous_action[1]).all()
    assert (mixed[[0, 2]] == after.previous_action[[0, 2]]).all()
