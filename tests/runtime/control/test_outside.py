"""What the arm does when its policy leaves its training, in simulated time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.controller_bench import Bench
from tests.support.far_policy import WINDOW_STEPS, write_far_policy

from skill_proto.messages import Telemetry
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_runtime.console.text import state_line
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.policy import OnnxPolicy
from skill_runtime.policy.outside_monitor import WARNING_PERIOD_S
from skill_runtime.policy.when_outside import WhenOutside

UNTIL_OUTSIDE_S = (WINDOW_STEPS + 2) * 0.04

REASON = "the policy is outside of its training: mean context distance 5."


@pytest.fixture
def far_bench(tmp_path: Path) -> Callable[[WhenOutside], Bench]:
    """Returns a factory of benches whose policy is outside of its training."""

    def make(when_outside: WhenOutside) -> Bench:
        policy = OnnxPolicy(write_far_policy(tmp_path))
        return Bench(ArmController(MujocoArm(), policy, when_outside=when_outside))

    return make


def test_hold_brings_the_arm_to_rest_with_a_reason(
    far_bench: Callable[[WhenOutside], Bench], telemetry_of: Callable[..., Telemetry]
) -> None:
    bench = far_bench("hold")
    bench.skill(1.0, 0.0)
    bench.run(0.4)
    assert bench.authority.mode == "skill"  # the window is not full
    assert bench.speed > 0.05
    bench.run(UNTIL_OUTSIDE_S - 0.4)
    authority = bench.authority
    assert (authority.mode, authority.fault_class) == ("fault", "outside")
    assert authority.events.last_event.startswith(f"fault: {REASON}")
    assert authority.lease is None
    assert authority.events.counters["faults.outside"] == 1
    bench.run(1.0)
    assert bench.controller.at_rest
    assert "fault outside" in state_line(telemetry_of(bench.controller, authority))
    assert sum(bench.controller.interventions.values()) == 0  # the shaper alone brakes


def test_clear_lets_the_policy_go_on_with_a_new_state(
    far_bench: Callable[[WhenOutside], Bench],
) -> None:
    bench = far_bench("hold")
    bench.skill(1.0, 0.0)
    bench.run(UNTIL_OUTSIDE_S + 1.0)
    assert bench.authority.mode == "fault"
    bench.clear()
    bench.skill(1.0, 0.0)
    bench.run(0.4)
    assert bench.authority.mode == "skill"
    assert bench.speed > 0.05
    bench.run(UNTIL_OUTSIDE_S - 0.4)  # it is still outside
    assert bench.authority.mode == "fault"


def test_warn_reports_each_excursion_once_and_not_too_often(
    far_bench: Callable[[WhenOutside], Bench], telemetry_of: Callable[..., Telemetry]
) -> None:
    bench = far_bench("warn")
    bench.skill(1.0, 0.0)
    bench.run(4.0)
    events = bench.authority.events
    assert (bench.authority.mode, events.counters["excursions"]) == ("skill", 1)
    assert events.last_event.startswith(REASON)
    state = telemetry_of(bench.controller, bench.authority)
    assert state.outside is True
    assert state_line(state).endswith("OUTSIDE OF TRAINING")
    for wait_s, count in ((0.0, 1), (0.0, 1), (WARNING_PERIOD_S, 2)):
        bench.now += wait_s
        # A pause ends the excursion, since the recurrent state starts anew after it.
        bench.skill(1.0, 0.0, valid_for_s=0.1)
        bench.run(0.8)
        assert telemetry_of(bench.controller, bench.authority).outside is None
        bench.skill(1.0, 0.0)
        bench.run(UNTIL_OUTSIDE_S)
        assert telemetry_of(bench.controller, bench.authority).outside is True
        assert events.counters["excursions"] == count


def test_go_on_is_silent_but_in_telemetry(
    far_bench: Callable[[WhenOutside], Bench], telemetry_of: Callable[..., Telemetry]
) -> None:
    bench = far_bench("go-on")
    bench.skill(1.0, 0.0)
    bench.run(2.0)
    assert bench.authority.mode == "skill"
    assert not bench.authority.events.counters["excursions"]
    assert telemetry_of(bench.controller, bench.authority).outside is True


def test_a_policy_without_an_encoder_is_never_outside(
    policy_file: Path, telemetry_of: Callable[..., Telemetry]
) -> None:
    bench = Bench(ArmController(MujocoArm(), OnnxPolicy(policy_file), when_outside="hold"))
    bench.skill(1.0, 0.0)
    bench.run(1.0)
    assert bench.authority.mode == "skill"
    assert telemetry_of(bench.controller, bench.authority).outside is None
