"""A graph on bound memory gives the results of the same graph run by ONNX Runtime's usual call."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from skill_proto.arrays import Float32Array
from skill_robots.observation import layout
from skill_runtime.policy_service.inference.bound_policy import BoundPolicy
from skill_runtime.policy_service.inference.opening import open_stepper
from skill_runtime.policy_service.inference.restorable_policy import RestorableStepper
from skill_runtime.policy_service.inference.stepper import Stepper

MODELS = Path(__file__).parents[4] / "models"
SLOTS = 6


def both(path: Path) -> tuple[BoundPolicy, RestorableStepper]:
    bound = open_stepper(path, device="cpu", slots=SLOTS)
    assert isinstance(bound, BoundPolicy)
    return bound, RestorableStepper(path, device="cpu", slots=SLOTS)


def single_rows(count: int) -> list[slice]:
    return [slice(row, row + 1) for row in range(count)]


@pytest.mark.parametrize("name", ["csf_panda", "goal_panda", "saccm_panda"])
def test_steps_equal_those_of_the_usual_call(name: str) -> None:
    """Over more steps than the trained horizon, so that standby states begin and take over."""
    steppers: tuple[Stepper, ...] = both(MODELS / f"{name}.onnx")
    manifest = steppers[0].manifest
    draw = np.random.default_rng(0)
    command = "goal" if manifest.goal is not None else "skill"
    for step in range(110):
        # One slot is the usual case, and has a way of its own.
        count = 1 if step % 2 else int(draw.integers(1, SLOTS + 1))
        slots = [2] if count == 1 else draw.permutation(SLOTS)[:count].tolist()
        arrays = {
            "observation": draw.normal(0, 0.1, (count, manifest.observation_size)),
            command: np.full((count, steppers[0].rows.tensors[command].shape[1]), 0.1),
        }
        if step % 3 == 0:
            arrays["previous_action"] = draw.uniform(-1, 1, (count, manifest.action_size))
        results = []
        for stepper in steppers:
            stepper.rows.write(0, {key: a.astype(np.float32) for key, a in arrays.items()})
            results.append(stepper.step(slots, partial(single_rows, count)))
        first, second = results
        assert first.is_finite is None
        np.testing.assert_allclose(first.action, second.action, atol=2e-6)
        for field in ("context", "context_distance", "estimate"):
            found, expected = getattr(first, field), getattr(second, field)
            assert (found is None) == (expected is None)
            if found is not None:
                np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)
    memories = [stepper.memory().states for stepper in steppers]
    for name in memories[0]:
        found, expected = (memory[name] for memory in memories)
        np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("slots", [[2], [2, 5]])
def test_a_policy_that_stands_at_its_goal_keeps_context_and_estimate(slots: list[int]) -> None:
    """Far beyond the trained horizon: the graph keeps its state, which then does not age."""
    n = len(slots)
    for stepper in both(MODELS / "saccm_panda.onnx"):
        places = layout(stepper.manifest.observation_names)
        observation = np.random.default_rng(0).normal(0.0, 0.05, (n, 23)).astype(np.float32)
        goal = np.full((n, 2), 0.14, np.float32)
        kept: list[list[Float32Array]] = []
        for step in range(160):
            if step == 40:
                observation[:, places["cube_position"]] = (0.14, 0.14, 0.02)
                observation[:, places["cube_velocity"]] = 0.0
            stepper.rows.write(0, {"observation": observation, "goal": goal})
            result = stepper.step(slots, partial(single_rows, n))
            assert result.context is not None
            assert result.estimate is not None
            kept.append([result.context.copy(), result.estimate.copy()])
        assert (kept[39][0] != kept[30][0]).any()
        for context, estimate in kept[40:]:
            np.testing.assert_array_equal(context, kept[40][0])
            np.testing.assert_array_equal(estimate, kept[40][1])


def test_memory_moves_to_another_policy() -> None:
    first, second = both(MODELS / "saccm_panda.onnx")
    rows = {
        "observation": np.full((1, first.manifest.observation_size), 0.1, np.float32),
        "goal": np.zeros((1, 2), np.float32),
    }
    for _ in range(60):
        first.rows.write(0, rows)
        first.step([3], lambda: single_rows(1))
    second.set_memory(first.memory())
    again = open_stepper(MODELS / "saccm_panda.onnx", device="cpu", slots=SLOTS)
    again.set_memory(second.memory())
    for stepper in (first, second, again):
        stepper.rows.write(0, rows)
    actions = [s.step([3], lambda: single_rows(1)).action.copy() for s in (first, second, again)]
    np.testing.assert_allclose(actions[1], actions[0], atol=2e-6)
    assert (actions[2] == actions[0]).all()


@pytest.mark.parametrize("alone", [True, False])
def test_a_request_with_a_bad_row_changes_no_slot(alone: bool, goal_file: Path) -> None:
    """Context = state / 2 + cube xy; a state of 3e38 overflows with another cube at 3e38."""
    stepper = open_stepper(goal_file, device="cpu", slots=SLOTS)
    slots, spans = ([1], [slice(0, 1)]) if alone else ([1, 4, 2], [slice(0, 2), slice(2, 3)])
    rows = {
        "observation": np.full((len(slots), 28), 0.1, np.float32),
        "goal": np.zeros((len(slots), 2), np.float32),
    }
    rows["observation"][0] = 3e38
    with np.errstate(over="ignore", invalid="ignore"):
        stepper.rows.write(0, rows)
        stepper.step(slots, lambda: spans)
        before = stepper.memory()
        stepper.rows.write(0, rows)
        result = stepper.step(slots, lambda: spans)
    after = stepper.memory()
    assert result.is_finite is not None
    assert result.is_finite.tolist() == [False, True, True][: len(slots)]
    changed = [slot for slot in range(SLOTS) if after.age[slot] != before.age[slot]]
    assert changed == ([] if alone else [2])
    for name, state in before.states.items():
        assert (after.states[name][:, [1, 4]] == state[:, [1, 4]]).all()
