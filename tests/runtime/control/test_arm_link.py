"""Silence of the arm, lost set-points, and the return to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.controller_bench import Followed, SilentArm, bench

from skill_robots.arm import ArmCommunicationError, JointTarget
from skill_robots.franka.specs import PANDA
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_runtime.fault_injection.faulty_arm import ArmFault


class DroppingArm(MujocoArm):
    """A simulated arm that drops some set-points and records the others."""

    drops = 0
    taken: list[JointTarget]

    def command(self, target: JointTarget) -> None:
        if self.drops:
            self.drops -= 1
            raise ArmCommunicationError("no packet")
        self.taken.append(target)
        super().command(target)


@pytest.mark.parametrize(("lost", "rests"), [(2, False), (4, False), (5, True), (30, True)])
def test_after_lost_set_points_the_motion_continues_from_the_last_that_arrived(
    policy_file: Path, lost: int, *, rests: bool
) -> None:
    """After 20 ms without one the arm has stopped on its own; the motion starts from rest."""
    arm = DroppingArm()
    arm.taken = []
    served = bench(policy_file, arm)
    served.skill(1, 0)
    served.run(0.5)
    before = arm.taken[-1]
    assert np.abs(before.velocity).max() > 0.1
    arm.drops, arm.taken = lost, []
    served.run((lost + 1) * arm.servo_period_s)
    (after,) = arm.taken
    start = np.zeros_like(before.velocity) if rests else before.velocity
    step = (after.position - before.position) / arm.servo_period_s
    np.testing.assert_allclose(step, after.velocity, atol=1e-9)
    bound = PANDA.acceleration_limit * arm.servo_period_s * (1 + 1e-6)
    assert (np.abs(after.velocity - start) <= bound).all()
    assert (served.authority.fault_class == "communication") is rests


@pytest.mark.parametrize("seed", [0, 1, 2, 3])  # with some seeds the stopped arm is pushed
@pytest.mark.parametrize("injected", ["communication", "drops_commands", "error", "contact"])
def test_after_an_outage_the_set_point_is_the_measured_position(
    policy_file: Path, injected: ArmFault, seed: int
) -> None:
    served = Followed(policy_file, seed)
    served.move()
    served.arm.injected = injected
    served.run(0.2)
    served.arm.injected, served.taken = "", []
    served.run(0.05)
    for target, measured in served.taken:
        np.testing.assert_array_equal(target.position, measured)
        np.testing.assert_array_equal(target.velocity, np.zeros(7))
    assert len(served.taken) == 10


def test_a_suspended_loop_is_a_fault_and_the_arm_is_held_where_measured(policy_file: Path) -> None:
    served = Followed(policy_file, 0)
    served.move()
    served.sleep(2.0)
    served.taken = []
    served.run(0.05)
    authority = served.bench.authority
    assert authority.events.last_event == "fault: the arm had no set-point for 2.005 s"
    assert (authority.fault_class, authority.lease is not None) == ("communication", True)
    target, measured = served.taken[0]
    np.testing.assert_array_equal(target.position, measured)
    np.testing.assert_array_equal(target.velocity, np.zeros(7))
    served.run(1.1)
    assert authority.mode == "hold"
    served.move(-0.5)


def test_a_suspended_loop_is_a_fault_of_a_holding_arm_too(policy_file: Path) -> None:
    served = Followed(policy_file, 0)
    served.run(1.5)
    served.sleep(2.0)
    served.run(0.5)
    assert served.bench.authority.fault_class == "communication"
    served.run(0.6)
    assert served.bench.authority.mode == "hold"


def test_an_arm_is_out_of_sync_until_it_takes_a_set_point(policy_file: Path) -> None:
    served = Followed(policy_file, 0)
    served.run(0.1)
    served.sleep(0.05)
    served.arm.injected = "drops_commands"
    served.run(0.005)  # it is measured at rest, and no set-point reaches it
    assert served.bench.controller.link.delivery.out_of_sync
    served.arm.injected = ""
    served.run(0.005)
    assert not served.bench.controller.link.delivery.out_of_sync


def test_a_tick_that_takes_too_long_sends_no_set_point(policy_file: Path) -> None:
    served = Followed(policy_file, 0)
    served.move()
    shape = served.bench.controller.adapter.step

    def slow() -> JointTarget:
        served.clock.time_s += 0.03
        return shape()

    served.taken = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(served.bench.controller.adapter, "step", slow)
        served.bench.run(0.005)
    assert served.taken == []
    assert served.bench.authority.fault_class == "communication"


def test_an_arm_moved_before_the_first_tick_is_held_where_it_is(policy_file: Path) -> None:
    served = Followed(policy_file, 0)
    start = served.bench.controller.state.joint_position
    served.arm.reset(5)
    served.run(0.02)
    for target, measured in served.taken:
        np.testing.assert_array_equal(target.position, measured)
    assert np.abs(served.taken[0][1] - start).max() > 1e-3


def test_a_short_delay_is_not_a_fault(policy_file: Path) -> None:
    served = Followed(policy_file, 0)
    served.move()
    served.sleep(0.014)
    served.run(0.05)
    assert served.bench.authority.mode == "servo"


def test_a_lockstep_simulation_has_no_timeout(policy_file: Path) -> None:
    served = bench(policy_file)
    served.skill(1, 0)
    served.run(0.3)
    speed = np.abs(served.controller.adapter.setpoint_velocity).max()
    served.now += 2.0
    served.run(0.005)
    assert served.authority.mode == "skill"
    assert np.abs(served.controller.adapter.setpoint_velocity).max() == pytest.approx(
        speed, rel=0.5
    )


def test_a_state_that_is_not_finite_is_a_fault_even_if_its_time_does_not_change(
    policy_file: Path,
) -> None:
    arm = SilentArm()
    served = bench(policy_file, arm)
    served.skill(1, 0)
    served.run(0.1)
    assert arm.last is not None
    broken = np.full_like(arm.last.joint_velocity, np.nan)
    arm.last = replace(arm.last, joint_velocity=broken)
    arm.silence = "repeat"
    served.run(0.005)
    assert (served.authority.mode, served.authority.fault_class) == ("fault", "arm")
