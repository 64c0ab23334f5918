"""Every shipped policy with an encoder has context, distance from training and estimates."""

from __future__ import annotations

import numpy as np
import pytest

from skill_proto.files.shipped_models import shipped_models
from skill_runtime.policy import OnnxPolicy, load_manifest
from skill_runtime.policy.when_outside import knows_distance

ENCODERS = sorted(
    name for name, path in shipped_models().items() if load_manifest(path).context is not None
)


def test_there_are_policies_with_an_encoder() -> None:
    assert {"goal_panda", "saccm_panda"} <= set(ENCODERS)


@pytest.mark.parametrize("name", ENCODERS)
def test_its_encoder_is_calibrated(name: str) -> None:
    policy = OnnxPolicy(shipped_models()[name])
    manifest = policy.manifest
    assert knows_distance(manifest)
    observation, goal = np.zeros(manifest.observation_size), np.zeros(manifest.goal_size)
    horizon = min(state.trained_horizon_steps for state in manifest.recurrent)
    distances: list[float] = []
    for _ in range(horizon // 2 + 1):
        output = policy.step(observation, goal=goal)
        assert output.context is not None
        assert output.context_distance is not None
        assert output.estimate is not None
        assert output.estimate.shape[1] > 0
        distances.append(output.context_distance.item())
    # A young state was not calibrated.
    assert np.isnan(distances[: horizon // 2 - 1]).all()
    assert np.isfinite(distances[horizon // 2 :]).all()
