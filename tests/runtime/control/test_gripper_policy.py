"""A served policy that drives the gripper by its width, through controller and governor."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tests.support.controller_bench import Bench
from tests.support.lift_policy import LiftPolicy

from skill_robots.arm import JointTarget
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.control.arm_controller import ArmController

CONFIG = TabletopConfig(gripper=True)


class WatchedArm(MujocoArm):
    """Records the targets that it is given."""

    def __init__(self, config: TabletopConfig, seed: int) -> None:
        super().__init__(config, seed=seed)
        self.targets: list[JointTarget] = []

    def command(self, target: JointTarget) -> None:
        self.targets.append(target)
        super().command(target)

    @property
    def height(self) -> float:
        return float(self.read().objects["cube"].position[2])


class RealArm(WatchedArm):
    """Says that it is a real one, whose gripper carries out one motion at a time."""

    is_simulated = False


def served(arm: WatchedArm) -> Bench:
    bench = Bench(ArmController(arm, LiftPolicy()))
    bench.skill(1.0, 0.0)
    return bench


@pytest.mark.parametrize("period_s", [0.005, 0.001])
def test_it_lifts_within_the_speed_of_the_hand_and_every_limit(period_s: float) -> None:
    arm = WatchedArm(TabletopConfig(gripper=True, physics_step_s=period_s), seed=1)
    bench = served(arm)
    bench.run(4.0)
    assert arm.height > 0.1
    widths = [target.gripper_width for target in arm.targets if target.gripper_width is not None]
    assert min(widths) >= 0.0
    assert max(widths) <= 0.08
    fastest = max(abs(after - before) for before, after in pairwise(widths)) / period_s
    assert fastest <= 0.1 + 1e-9
    assert sum(bench.controller.interventions.values()) == 0


def test_a_stop_keeps_the_cube_in_the_hand() -> None:
    arm = WatchedArm(CONFIG, seed=1)
    bench = served(arm)
    bench.run(4.0)
    lifted = arm.height
    bench.authority.stop("test")
    bench.run(1.0)
    assert arm.targets[-1].gripper_width is None  # unchanged
    assert arm.height == pytest.approx(lifted, abs=5e-3)


def test_a_stop_ends_the_motion_of_the_fingers() -> None:
    arm = WatchedArm(CONFIG, seed=1)
    bench = served(arm)
    bench.run(0.1)
    bench.authority.stop("test")
    bench.run(0.1)  # the servo of the fingers settles
    width = arm.read().gripper_width
    assert width < 0.07
    bench.run(1.0)
    assert arm.read().gripper_width == pytest.approx(width, abs=1e-4)


def test_a_real_gripper_gets_an_opening_and_a_grasp() -> None:
    """A stream of widths would stop the motion of a real hand at every new one."""
    arm = RealArm(CONFIG, seed=1)
    served(arm).run(4.0)
    commands = [(target.gripper_width, target.grasp) for target in arm.targets]
    changes = [one for one, last in zip(commands, [None, *commands], strict=False) if one != last]
    assert changes == [(0.08, False), (None, True)]
    assert arm.height > 0.1
