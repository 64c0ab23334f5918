"""The contents of the page, as far as they need no browser: rays, sliders, rows, samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from skill_proto.manifest import PolicyManifest
from skill_proto.messages import Telemetry
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.subscribers.web.inputs import how_to_move
from skill_runtime.subscribers.web.panel import estimate_rows, slider_range
from skill_runtime.subscribers.web.scene import has_disc, table_goal, table_point
from skill_runtime.subscribers.web.watch import sample

Manifests = Callable[..., PolicyManifest]


@pytest.fixture
def state(telemetry_of: Callable[..., Telemetry], controller: ArmController) -> Telemetry:
    return telemetry_of(controller).model_copy(
        update={
            "scene": {"mass": 0.5, "friction": 0.25},
            "context_estimate": {"cube_mass": 0.4, "cube_table_friction": None},
            "context_distance": 1.5,
        }
    )


def test_a_ray_hits_the_table() -> None:
    point = table_point(np.array([1.0, 2.0, 3.0]), np.array([0.5, -1.0, -1.0]))
    np.testing.assert_allclose(point, [2.5, -1.0])


@pytest.mark.parametrize("direction", [(1.0, 0.0, 0.0), (0.0, 0.0, 1.0)])
def test_a_ray_to_the_sky_hits_nothing(direction: tuple[float, float, float]) -> None:
    assert table_point(np.array([0.0, 0.0, 1.0]), np.array(direction)) is None


def test_a_camera_below_the_table_hits_nothing() -> None:
    assert table_point(np.array([0.0, 0.0, -1.0]), np.array([0.0, 0.0, -1.0])) is None


def test_sliders_reach_beyond_training(make_manifest: Manifests) -> None:
    low, high, marks = slider_range(make_manifest(), "mass")  # trained on 0.4 to 1.6 kg
    assert (low, high) == pytest.approx((0.1, 2.4))
    assert marks == ((0.4, "0.4"), (1.6, "1.6"))
    assert slider_range(make_manifest(trained_on={}), "friction") == (0.01, 5.0, ())


def test_a_plane_of_skills_is_a_disc_and_goals_are_on_the_table(make_manifest: Manifests) -> None:
    manifest = make_manifest()
    assert has_disc(manifest)
    assert table_goal(manifest) is manifest.goal
    assert how_to_move(manifest) == (
        "click on the disc of skills or drag it, or click on the table in the box of goals"
    )


def test_a_policy_without_an_encoder_says_so(state: Telemetry, make_manifest: Manifests) -> None:
    rows = estimate_rows(state, make_manifest())
    assert rows == {"policy": "has no encoder: it does not estimate the object"}


def test_a_sample_has_estimates_and_truths_under_the_same_names(state: Telemetry) -> None:
    one = sample(state)
    assert one.estimates == {"cube_mass": 0.4}
    assert one.truths == {"cube_mass": 0.5, "cube_table_friction": 0.25}
    assert one.distance == 1.5
    assert one.latency_ms[0] == state.timing.wakeup_latency_p50_us / 1000
