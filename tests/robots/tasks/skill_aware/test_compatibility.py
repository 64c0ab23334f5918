"""Which policies fit the skill-aware benchmark."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.skill_aware_policy import skill_aware_manifest

from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_robots.tasks.skill_aware.compatibility import check_fits_skill_aware


def test_a_policy_of_the_benchmark_fits() -> None:
    check_fits_skill_aware(skill_aware_manifest())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"control_rate_hz": 50.0}, "acts at \\[Hz\\] 50.0"),
        ({"goal": None}, "aims at None"),
        ({"action.scale": 0.04}, "acts by .*0.04"),
        ({"observation": ()}, "observes"),
        ({"plant.task": "pour"}, "was trained on the task pour, .* needs skill_aware"),
    ],
)
def test_a_policy_that_does_not_fit_the_benchmark_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    manifest = skill_aware_manifest()
    if "action.scale" in changes:
        part = manifest.action[0].model_copy(update={"scale": changes["action.scale"]})
        changes = {"action": (part, manifest.action[1])}
    if "plant.task" in changes:
        plant = manifest.plant.model_copy(update={"task": changes["plant.task"]})
        changes = {"plant": plant}
    with pytest.raises(UnsupportedPolicyError, match=message):
        check_fits_skill_aware(manifest.model_copy(update=changes))
