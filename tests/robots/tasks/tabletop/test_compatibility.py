"""Which policies fit the tabletop."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.lift_policy import GRIPPER, lift_manifest

from skill_proto.manifest import PolicyManifest
from skill_robots.motion.policy_support import UnsupportedPolicyError
from skill_robots.tasks.tabletop.compatibility import check_fits_tabletop


def opening_to(scale: float) -> PolicyManifest:
    first = lift_manifest().model_dump(mode="json")["action"][0]
    return lift_manifest(action=[first, GRIPPER | {"scale": scale}])


@pytest.mark.parametrize("share", [1.0, 1 + 9e-7, 1 - 9e-7])
def test_a_rounded_width_of_the_gripper_fits(share: float) -> None:
    check_fits_tabletop(opening_to(0.08 * share), gripper=True)


def test_another_width_of_the_gripper_does_not_fit() -> None:
    with pytest.raises(UnsupportedPolicyError, match=r"gripper_width up to 0\.08 m"):
        check_fits_tabletop(opening_to(0.07), gripper=True)


@pytest.mark.parametrize(
    "change",
    [{"scale": [0.04, 0.02, 0.02]}, {"offset": 0.01}, {"offset": [0.0, 0.0, 0.01]}],
)
def test_a_displacement_that_the_tabletop_does_not_execute_does_not_fit(
    change: dict[str, Any],
) -> None:
    first = lift_manifest().model_dump(mode="json")["action"][0]
    with pytest.raises(UnsupportedPolicyError, match="one scale for all axes and no offset"):
        check_fits_tabletop(lift_manifest(action=[first | change, GRIPPER]), gripper=True)
