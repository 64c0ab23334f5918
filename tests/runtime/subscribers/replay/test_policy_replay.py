"""Inferences of a recording, repeated."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from tests.runtime.policy.test_recurrent_state import encoder_graph
from tests.support.policy_files import push_graph, write_policy_file

from skill_proto.messages import PolicyStep, Welcome
from skill_runtime.policy import OnnxPolicy
from skill_runtime.subscribers.recording.reader import Recording
from skill_runtime.subscribers.recording.recording_file import POLICY_STEP_CHANNEL
from skill_runtime.subscribers.replay.model_file import digest, find_model
from skill_runtime.subscribers.replay.policy_replay import PolicyReplay, ReplayError

PUSHING_FROM = 7
"""Step from which on the arm pushes, in :func:`pushes`."""

STATES = [
    {"name": name, "shape": [5], "trained_horizon_steps": 6, "beyond_horizon": "stagger"}
    for name in ("lstm_h", "lstm_c")
]


def replay(model: Path, steps: Sequence[PolicyStep]) -> PolicyReplay:
    replay = PolicyReplay(OnnxPolicy(model))
    replay.run(steps)
    return replay


def recorded(
    model: Path, observations: np.ndarray, *, resets: Sequence[int] = (1,), **command: object
) -> list[PolicyStep]:
    """Returns the steps of a policy that observed this, and was reset before these steps."""
    policy, steps, age = OnnxPolicy(model), list[PolicyStep](), 0
    for number, row in enumerate(observations.astype(np.float32), 1):
        age = 0 if number in resets else age + 1
        if age == 0:
            policy.reset_slot(0)
        action = policy.step(row, **{k: np.asarray(v) for k, v in command.items()}).action[0]
        steps.append(
            PolicyStep(
                **{"instance": "a", "step": number, "tick": 8 * number, "time": 0.04 * number},
                **{"state_age": age, "observation": tuple(row.tolist()), "previous_action": None},
                **({"skill": None, "goal": None} | command),
                action=tuple(action.tolist()),
            )
        )
    return steps


def pushes(model: Path) -> list[PolicyStep]:
    """The hand is behind the cube, high, and from step 7 on low enough to push to the east."""
    observations = np.zeros((10, 28))
    observations[:, 19] = 0.05  # the cube, east of the hand
    observations[:, 2] = 0.06
    observations[PUSHING_FROM - 1 :, 2] = 0.02
    return recorded(model, observations, skill=(1.0, 0.0))


def changed(graph: onnx.ModelProto, name: str, change: Callable[[np.ndarray], None]) -> None:
    """Changes the numbers of an initializer."""
    tensor = next(item for item in graph.graph.initializer if item.name == name)
    values = numpy_helper.to_array(tensor).copy()
    change(values)
    tensor.CopyFrom(numpy_helper.from_array(values, name))


def test_a_recording_replays_to_the_last_bit(recording_file: Path, policy_file: Path) -> None:
    messages = Recording([recording_file]).messages((POLICY_STEP_CHANNEL,))
    steps = [step for message in messages if isinstance(step := message.parse(), PolicyStep)]
    result = replay(policy_file, steps).result
    assert (result.replayed, result.unknown, result.lost) == (len(steps), 0, 0)
    assert (result.resets, result.different, result.largest) == (2, 0, 0.0)
    assert result.first is None


def test_a_changed_weight_is_found_at_the_first_step_that_it_matters(
    policy_file: Path, tmp_path: Path
) -> None:
    """The weight is the speed of a push, so it has no effect before the arm pushes."""
    steps = pushes(policy_file)
    graph = push_graph()
    changed(graph, "push", lambda values: values.fill(0.7))
    result = replay(write_policy_file(tmp_path, model=graph), steps).result
    assert result.first is not None
    assert (result.first.step, result.first.index) == (PUSHING_FROM, 0)
    assert (result.first.recorded, result.first.replayed) == pytest.approx((0.6, 0.7))
    assert result.first.size == pytest.approx(0.1)
    assert result.first.time == pytest.approx(0.04 * PUSHING_FROM)
    assert (result.replayed, result.different) == (10, 4)


@pytest.mark.parametrize("place", [2, 5, 10])
def test_a_number_that_is_unknown_counts_as_the_largest_difference(
    policy_file: Path, place: int
) -> None:
    steps = pushes(policy_file)
    broken = steps[place - 1].model_copy(update={"action": (0.0, math.nan, 0.0)})
    result = replay(policy_file, [*steps[: place - 1], broken, *steps[place:]]).result
    assert (result.different, math.isnan(result.largest)) == (1, True)
    assert result.first is not None
    assert (result.first.step, math.isnan(result.first.size)) == (place, True)


@pytest.fixture
def recurrent_file(tmp_path: Path) -> Path:
    return write_encoder(tmp_path, encoder_graph())


def write_encoder(folder: Path, graph: onnx.ModelProto, name: str = "encoder.onnx") -> Path:
    skill = {"kind": "none", "size": 0}
    return write_policy_file(
        folder,
        **{"filename": name, "model": graph, "recurrent": STATES, "skill": skill},
        **{"representation": None, "context": {"size": 5}},
    )


OBSERVATIONS = np.random.default_rng(3).normal(size=(24, 28))


def test_a_recurrent_state_is_replayed_from_its_resets(recurrent_file: Path) -> None:
    """The state passes its horizon of 6 steps, and begins again at step 15."""
    steps = recorded(recurrent_file, OBSERVATIONS, resets=(1, 15), goal=(0.1, 0.0))
    result = replay(recurrent_file, steps).result
    assert (result.replayed, result.resets, result.largest) == (24, 2, 0.0)


def test_a_weight_of_the_state_matters_one_step_after_the_reset(
    recurrent_file: Path, tmp_path: Path
) -> None:
    """The recurrent weights act on the state, which is zero at the reset."""
    steps = recorded(recurrent_file, OBSERVATIONS, goal=(0.1, 0.0))
    graph = encoder_graph()

    def change(values: np.ndarray) -> None:
        values[0, 0, 0] += 0.5

    changed(graph, "R", change)
    result = replay(write_encoder(tmp_path, graph, "changed.onnx"), steps).result
    assert result.first is not None
    assert result.first.step == 2


def test_a_lost_step_is_no_difference(recurrent_file: Path) -> None:
    """After it the state is not known until the next reset."""
    steps = recorded(recurrent_file, OBSERVATIONS, resets=(1, 15), goal=(0.1, 0.0))
    result = replay(recurrent_file, steps[:4] + steps[6:]).result
    assert (result.lost, result.unknown, result.replayed) == (2, 8, 14)
    assert result.different == 0


def test_a_recording_that_begins_without_a_reset(recurrent_file: Path, policy_file: Path) -> None:
    steps = recorded(recurrent_file, OBSERVATIONS, goal=(0.1, 0.0))[3:]
    assert replay(recurrent_file, steps).result.unknown == len(steps)
    other = [step.model_copy(update={"instance": "b"}) for step in steps]
    assert replay(recurrent_file, [*steps, *other]).result.lost == 0


def test_a_policy_without_state_is_replayed_once_its_previous_action_is_known(
    policy_file: Path,
) -> None:
    """The graph takes the action before, which the first of these steps lacks."""
    steps = pushes(policy_file)
    result = replay(policy_file, steps[3:]).result
    assert (result.unknown, result.replayed, result.different) == (1, 6, 0)
    result = replay(policy_file, steps[:3] + steps[5:]).result
    assert (result.lost, result.unknown, result.replayed, result.different) == (2, 1, 7, 0)


def test_a_policy_of_other_inputs_is_refused(recurrent_file: Path, policy_file: Path) -> None:
    with pytest.raises(ReplayError, match=r"is no policy of this recording: .* needs a goal"):
        replay(recurrent_file, pushes(policy_file))


def test_the_policy_file_is_found_by_name_and_digest(
    recording_file: Path, policy_file: Path, tmp_path: Path
) -> None:
    recording = Recording([recording_file])
    list(recording.messages())
    (welcome,) = recording.welcomes.values()
    assert (welcome.policy_file, welcome.policy_sha256) == (policy_file.name, digest(policy_file))
    assert find_model(welcome, [tmp_path, policy_file.parent]) == policy_file
    for other in (
        welcome.model_copy(update={"policy_sha256": "0" * 64}),
        welcome.model_copy(update={"policy_file": "../" + policy_file.name}),
        welcome.model_copy(update={"policy_file": ""}),
    ):
        assert isinstance(other, Welcome)
        with pytest.raises(ReplayError, match="name it with --model FILE"):
            find_model(other, [tmp_path])
