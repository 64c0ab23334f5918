"""Which faults end with their cause, and the recovery of the arm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.support.controller_bench import Bench, BrokenArm, Followed, SilentArm, bench

from skill_proto.messages import Track
from skill_robots.arm import ArmContactError, ArmError
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_runtime.authority.refusal import Refusal
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.object_tracker import ObjectTracker, TrackConfig
from skill_runtime.policy import OnnxPolicy


@pytest.mark.parametrize("silence", ["raise", "repeat"])
def test_a_silent_arm_is_held_and_recovers_when_it_answers(policy_file: Path, silence: str) -> None:
    arm = SilentArm()
    served = bench(policy_file, arm)
    served.skill(1, 0)
    served.run(0.3)
    arm.silence = silence
    served.run(0.02)
    assert served.authority.mode == "skill"  # a short silence is not a fault
    served.run(0.02)
    assert served.authority.fault_class == "communication"
    assert served.authority.lease is not None
    served.run(0.5)
    arm.silence = ""
    served.run(0.5)
    assert served.authority.mode == "fault"  # it has answered for less than RECOVERY_TIME_S
    served.run(1.5)
    assert served.authority.mode == "hold"
    assert served.speed < 0.01
    served.skill(1, 0)
    served.run(0.3)
    assert served.authority.mode == "skill"


def test_a_silence_below_a_more_severe_fault_is_counted_and_settled(policy_file: Path) -> None:
    served = Followed(policy_file, 0)
    served.move()
    served.bench.authority.fault("it is broken", "policy")
    served.arm.injected = "drops_commands"
    served.run(0.2)
    authority = served.bench.authority
    assert (authority.fault_class, authority.events.counters["faults.communication"]) == (
        "policy",
        1,
    )
    assert authority.events.last_event == "fault: it is broken"
    served.arm.injected, served.taken = "", []
    served.run(0.1)
    served.bench.clear()
    served.run(0.1)
    for target, measured in served.taken:
        np.testing.assert_allclose(target.position, measured, atol=1e-12)


def test_a_fault_of_an_arm_that_repeats_its_state_is_not_cleared(policy_file: Path) -> None:
    served = Followed(policy_file, 0)
    served.bench.authority.fault("it is broken", "policy")
    served.arm.injected = "repeat"
    served.run(0.1)
    with pytest.raises(Refusal, match="does not change"):
        served.bench.clear()
    served.arm.injected = ""
    served.run(0.01)
    served.bench.clear()


def test_a_contact_needs_clear(policy_file: Path) -> None:
    arm = BrokenArm()
    served = bench(policy_file, arm)
    served.skill(1, 0)
    served.run(0.1)
    arm.broken = "contact"
    served.run(0.1)
    arm.broken = ""
    served.run(3.0)
    assert (served.authority.mode, served.authority.fault_class) == ("fault", "contact")


def track(served: Bench, captured: float | None = None) -> None:
    message = Track(
        object="cube",
        captured=served.now if captured is None else captured,
        position=(0.1, 0.0, 0.02),
    )
    served.controller.tracker.put(message, served.now)


def test_a_silent_tracker_is_a_fault_until_the_next_pose(policy_file: Path) -> None:
    tracker = ObjectTracker(TrackConfig(objects=("cube",)))
    served = Bench(ArmController(MujocoArm(), OnnxPolicy(policy_file), tracker))
    assert "cube" not in served.controller.state.objects  # the arm's own pose is not used
    served.skill(1, 0)
    served.run(0.04)
    assert served.authority.fault_class == "tracker"
    assert served.authority.events.last_event == "fault: no pose of 'cube' has arrived yet"
    track(served)
    served.run(0.01)
    assert served.authority.mode == "hold"
    assert served.controller.state.objects["cube"].position.tolist() == [0.1, 0.0, 0.02]
    served.skill(1, 0)
    for _ in range(10):
        track(served)
        served.run(0.04)
    assert served.authority.mode == "skill"
    served.run(0.3)
    assert served.authority.fault_class == "tracker"
    served.run(0.4)
    assert served.speed < 0.01


def test_servo_needs_no_tracker(policy_file: Path) -> None:
    tracker = ObjectTracker(TrackConfig(objects=("cube",)))
    served = Bench(ArmController(MujocoArm(), OnnxPolicy(policy_file), tracker))
    served.command("servo_joint", served.controller.state.joint_position, "servo")
    served.run(0.2)
    assert served.authority.mode == "servo"


@pytest.mark.parametrize("reads", [0, 3, 40])
def test_a_cleared_contact_is_recovered_by_the_arm_over_several_ticks(
    policy_file: Path, reads: int
) -> None:
    """A recovery that exceeds the communication timeout is reported, and ends by itself."""
    served = Followed(policy_file, 0)
    served.move()
    served.arm.recovery_reads = reads
    served.arm.injected = "contact"
    served.run(0.2)
    served.arm.injected = ""
    served.run(1.5)
    authority = served.bench.authority
    assert (authority.fault_class, served.arm.recoveries) == ("contact", 0)  # not without clear
    served.taken = []
    served.bench.clear()
    assert served.arm.recoveries == 1
    served.run(0.1)
    assert authority.fault_class == ("communication" if reads == 40 else None)
    served.run(1.5)
    assert authority.mode == "hold"
    for target, measured in served.taken:
        np.testing.assert_allclose(target.position, measured, atol=1e-12)
    served.move(-0.5)


def test_a_communication_fault_asks_the_arm_once_to_recover(policy_file: Path) -> None:
    served = Followed(policy_file, 0)
    served.move()
    served.arm.recovery_reads = 40
    for outage in (1, 2):
        served.arm.injected = "communication"
        served.run(0.2)
        assert served.bench.authority.fault_class == "communication"
        assert served.arm.recoveries == outage - 1  # a silent arm is not asked
        served.arm.injected = ""
        served.run(0.1)
        assert served.arm.recoveries == outage
        served.run(0.9)
        assert served.bench.authority.mode == "fault"  # RECOVERY_TIME_S begins after the recovery
        served.run(0.5)
        assert served.bench.authority.mode == "hold"
        assert served.arm.recoveries == outage


def test_a_contact_that_only_set_points_report_needs_clear(
    policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A contact during a silence is found before the arm is asked to recover."""
    served = Followed(policy_file, 0)
    served.move()
    served.arm.injected = "communication"
    served.run(0.2)
    assert served.bench.authority.fault_class == "communication"

    def reflex(_: object) -> None:
        raise ArmContactError("reflex")

    served.arm.injected = ""
    monkeypatch.setattr(served.arm, "command", reflex)
    served.run(2.0)
    authority = served.bench.authority
    assert (authority.mode, authority.fault_class) == ("fault", "contact")
    assert served.arm.recoveries == 0
    monkeypatch.undo()
    served.run(2.0)
    assert (authority.mode, served.arm.recoveries) == ("fault", 0)
    served.bench.clear()
    assert (authority.mode, served.arm.recoveries) == ("hold", 1)


def test_an_arm_that_takes_no_set_points_until_it_recovers_is_asked_to(
    policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = Followed(policy_file, 0)
    served.run(0.1)
    served.arm.injected = "drops_commands"
    monkeypatch.setattr(served.arm.inner, "recover", lambda: setattr(served.arm, "injected", ""))
    served.run(1.5)
    assert served.arm.recoveries == 1
    assert served.bench.authority.mode == "hold"


def test_an_arm_that_cannot_recover_is_at_fault(
    policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = Followed(policy_file, 0)
    served.run(0.1)
    served.arm.injected = "communication"
    served.run(0.1)

    def broken() -> None:
        raise ArmError("brakes are locked")

    monkeypatch.setattr(served.arm, "recover", broken)
    served.arm.injected = ""
    served.run(0.01)
    authority = served.bench.authority
    assert authority.fault_class == "arm"
    assert authority.events.last_event == "fault: the arm does not recover: brakes are locked"


def test_an_arm_that_takes_no_set_points_after_a_recovery_is_asked_again(
    policy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The robot's own error comes after the first request, which had no effect."""
    served = Followed(policy_file, 0)
    served.run(0.1)
    served.arm.injected = "drops_commands"

    def recover() -> None:
        if served.arm.recoveries == 2:
            served.arm.injected = ""

    monkeypatch.setattr(served.arm.inner, "recover", recover)
    served.run(0.9)
    assert served.arm.recoveries == 1
    served.run(0.4)
    assert served.arm.recoveries == 2
    served.run(1.5)
    assert served.arm.recoveries == 2
    assert served.bench.authority.mode == "hold"
