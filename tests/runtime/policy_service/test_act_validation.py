"""The arrays of an ``act`` request, checked by the rules of ``skill`` and ``goal``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from skill_proto.arrays import FloatArray
from skill_proto.manifest import PolicyManifest
from skill_proto.wire import WireError
from skill_runtime.policy import load_manifest
from skill_runtime.policy_service.act_validation import entry_name, validate_act
from skill_runtime.policy_service.config import MAX_ROWS, largest_array_bytes

ManifestFactory = Callable[..., PolicyManifest]
OBSERVATION = np.zeros((2, 28), np.float32)
SKILL = np.array([[1, 0], [0, 1]], np.float32)
GOAL = np.zeros((2, 2), np.float32)


def refusal(arrays: Mapping[str, FloatArray], manifest: PolicyManifest) -> WireError:
    with pytest.raises(WireError) as caught:
        validate_act(arrays, manifest)
    assert caught.value.fix
    return caught.value


def changed(array: FloatArray, row: int, entry: int, value: float) -> FloatArray:
    array = array.copy()
    array[row, entry] = value
    return array


def test_arrays_reach_the_policy_in_single_precision(make_manifest: ManifestFactory) -> None:
    arrays = {"observation": OBSERVATION.astype(np.float64), "skill": SKILL}
    inputs = validate_act(arrays, make_manifest())
    assert inputs.rows == 2
    assert {name: array.dtype for name, array in inputs.arrays.items()} == dict.fromkeys(
        arrays, np.dtype(np.float32)
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_skill_is_scaled_to_unit_length(make_manifest: ManifestFactory, dtype: type) -> None:
    skill = np.array([[3, 4], [0, -1e20]], dtype)
    inputs = validate_act({"observation": OBSERVATION, "skill": skill}, make_manifest())
    assert (inputs.arrays["skill"] == np.array([[0.6, 0.8], [0, -1]], np.float32)).all()


def test_a_skill_without_a_direction_is_refused(make_manifest: ManifestFactory) -> None:
    arrays = {"observation": OBSERVATION, "skill": changed(SKILL, 1, 1, 0.0)}
    error = refusal(arrays, make_manifest())
    assert error.code == "invalid"
    assert str(error) == "skill, row 1 [0.0, 0.0] has length 0.0, so it has no direction"


def test_a_one_hot_skill_is_checked(make_manifest: ManifestFactory) -> None:
    manifest = make_manifest(skill={"kind": "one_hot", "size": 2}, representation=None)
    validate_act({"observation": OBSERVATION, "skill": SKILL}, manifest)
    arrays = {"observation": OBSERVATION, "skill": changed(SKILL, 0, 1, 0.5)}
    assert "skill, row 0 [1.0, 0.5] is not one-hot" in str(refusal(arrays, manifest))


def test_a_goal_at_the_bound_in_single_precision_is_accepted(
    make_manifest: ManifestFactory,
) -> None:
    corners = np.array([[0.15, 0.15], [-0.15, -0.15]], np.float32)
    inputs = validate_act({"observation": OBSERVATION, "goal": corners}, make_manifest())
    assert (inputs.arrays["goal"] == corners).all()


@pytest.mark.parametrize("value", [5.0, -0.150002, 1e30])
def test_a_goal_outside_of_the_box_is_refused(make_manifest: ManifestFactory, value: float) -> None:
    arrays = {"observation": OBSERVATION, "goal": changed(GOAL, 1, 0, value)}
    error = refusal(arrays, make_manifest())
    assert error.code == "invalid"
    assert str(error).startswith("goal, row 1: cube_position[0] = ")
    assert str(error).endswith("outside -0.15 to 0.15 m")


def test_a_previous_action_is_bounded(make_manifest: ManifestFactory) -> None:
    manifest = make_manifest()
    rounded = np.full((2, 3), 1 + 5e-7, np.float32)
    arrays = {"observation": OBSERVATION, "skill": SKILL, "previous_action": rounded}
    assert (validate_act(arrays, manifest).arrays["previous_action"] == 1).all()
    arrays["previous_action"] = changed(np.zeros((2, 3)), 1, 2, 5.0)
    error = refusal(arrays, manifest)
    assert error.code == "invalid"
    assert str(error) == ("previous_action, row 1: previous_action[2] = 5.0 is outside -1.0 to 1.0")


def test_a_number_beyond_single_precision_is_refused(make_manifest: ManifestFactory) -> None:
    observation = changed(OBSERVATION.astype(np.float64), 1, 7, -1e300)
    error = refusal({"observation": observation, "skill": SKILL}, make_manifest())
    assert error.code == "invalid"
    assert "observation, row 1: cube_position[1] = -1e+300 exceeds 3.4" in str(error)


@pytest.mark.parametrize(
    ("arrays", "code", "words"),
    [
        ({}, "invalid", "no observation"),
        ({"skill": (1, 2)}, "invalid", "no observation"),
        ({"observation": (1, 28)}, "invalid", "no skill and no goal"),
        ({"observation": (1, 28), "skill": (1, 2), "goal": (1, 2)}, "invalid", "both a skill and"),
        ({"observation": (1, 27), "skill": (1, 2)}, "invalid", "shape [1, 27], expected [1, 28]"),
        ({"observation": (28,), "skill": (2,)}, "invalid", "'observation' has shape [28]"),
        ({"observation": (), "skill": (2,)}, "invalid", "'observation' has shape []"),
        ({"observation": (2, 28), "skill": (1, 2)}, "invalid", "'skill' has shape [1, 2]"),
        ({"observation": (2, 28), "goal": (2, 3)}, "invalid", "'goal' has shape [2, 3]"),
        ({"observation": (0, 28), "skill": (0, 2)}, "invalid", "'observation' has shape [0, 28]"),
        ({"observation": (1, 28), "skill": (1, 2), "weight": (1, 1)}, "invalid", "'weight'"),
        ({"observation": (1, 28), "skill": (1, 2), "memory": (1, 2)}, "invalid", "'memory'"),
    ],
)
def test_arrays_that_do_not_fit_the_policy_are_refused(
    make_manifest: ManifestFactory, arrays: dict[str, tuple[int, ...]], code: str, words: str
) -> None:
    error = refusal({name: np.zeros(shape) for name, shape in arrays.items()}, make_manifest())
    assert error.code == code
    assert words in str(error)


def test_a_command_that_the_policy_lacks_is_not_supported(
    make_manifest: ManifestFactory, goal_file: Path
) -> None:
    no_goals = make_manifest(goal=None)
    error = refusal({"observation": OBSERVATION, "goal": GOAL}, no_goals)
    assert (error.code, str(error)) == ("not_supported", "policy 'push_by_hand' takes no goals")
    assert "skill [n, 2]" in error.fix
    no_skills = load_manifest(goal_file)
    error = refusal({"observation": OBSERVATION, "skill": SKILL}, no_skills)
    assert (error.code, str(error)) == ("not_supported", "policy 'push_to_goal' takes no skills")
    assert "no goal" in str(refusal({"observation": OBSERVATION}, no_skills))


def test_a_policy_without_skills_and_goals_needs_neither(make_manifest: ManifestFactory) -> None:
    manifest = make_manifest(goal=None, skill={"kind": "none", "size": 0}, representation=None)
    assert validate_act({"observation": OBSERVATION}, manifest).rows == 2


def test_entries_of_the_observation_have_names(make_manifest: ManifestFactory) -> None:
    manifest = make_manifest()
    assert entry_name(manifest, 6) == "cube_position[0]"
    names = [entry_name(manifest, entry) for entry in range(manifest.observation_size)]
    assert len(set(names)) == 28
    with pytest.raises(IndexError):
        entry_name(manifest, 28)


def test_the_largest_valid_array_has_the_largest_size(make_manifest: ManifestFactory) -> None:
    manifest = make_manifest()
    arrays = {"observation": np.zeros((MAX_ROWS, 28)), "skill": np.ones((MAX_ROWS, 2))}
    validate_act(arrays, manifest)
    assert largest_array_bytes(manifest) == arrays["observation"].nbytes
