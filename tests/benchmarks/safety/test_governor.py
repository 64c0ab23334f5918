"""The statistics of governed evaluations, against hand-computed values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.safety.governed_scenes import (
    KINDS,
    PERIOD_S,
    Tally,
    audit_all,
    run_skill_aware,
    run_tabletop,
)
from benchmarks.safety.governor import content, refusal_text, refusals, row, table_depth
from benchmarks.safety.press import at_start, press, stiffness

from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionConfig
from skill_robots.motion.inverse_kinematics import inverse_kinematics
from skill_robots.tasks.baselines import make_baseline
from skill_robots.tasks.tabletop.setpoint_audit import SetpointAudit
from skill_runtime.evaluation.tabletop import EvaluationSettings
from skill_runtime.policy import OnnxPolicy

MODELS = Path(__file__).parents[3] / "models"


def make_audit(tally: Tally, n: int) -> SetpointAudit:
    start = np.tile(PANDA.neutral, (n, 1))
    return audit_all(tally)(PANDA, ActionConfig(), PERIOD_S, start)


def check_turn(audit: SetpointAudit, angles: list[float], steps: list[float] | None = None) -> None:
    """Checks one set-point per scene, with the last joint turned.

    The end effector lies on the axis of this joint.

    Args:
        audit: Audit of the scenes.
        angles: Angle of each scene's last joint from the start [rad].
        steps: Step from the set-point before [rad]; the angles if it was the start.
    """
    turn, step = (np.outer(part, np.eye(7)[6]) for part in (angles, steps or angles))
    audit.check(PANDA.neutral + turn, step / PERIOD_S)


def test_the_least_headroom_is_that_of_the_fastest_scene() -> None:
    tally = Tally()
    check_turn(make_audit(tally, 2), [1e-4, 5e-5])
    assert (tally.scenes, len(tally.seconds), tally.refused) == (2, 2, [])
    left = [tally.least[kind] for kind in KINDS[1:5]]
    assert left == pytest.approx(
        [1 - 0.02 / 2.61, 1 - 4.0 / 20.0, 1 - 800.0 / 10_000.0, 1.0], abs=1e-9
    )


def test_the_jerk_is_relative_to_the_acceleration_before() -> None:
    tally = Tally()
    audit = make_audit(tally, 1)
    check_turn(audit, [1e-4])
    check_turn(audit, [3e-4], [2e-4])  # twice the velocity, the same acceleration
    assert tally.least["joint_jerk"] == pytest.approx(0.92)
    assert tally.least["joint_velocity"] == pytest.approx(1 - 0.04 / 2.61)


def test_a_refused_scene_ends_and_the_others_continue() -> None:
    tally = Tally()
    audit = make_audit(tally, 2)
    check_turn(audit, [0.01, 0.0])  # 400 rad/s^2
    check_turn(audit, [0.02, 0.0])
    assert refusals(tally) == "1 joint_acceleration"
    assert len(tally.seconds) == 3
    (refusal,) = tally.refused
    assert refusal.after_s == PERIOD_S
    assert refusal.end_effector == pytest.approx((0.6, 0.0, 0.06), abs=1e-3)
    assert refusal_text(refusal).startswith(
        "joint_acceleration after 0.01 s, end effector at 0.600 "
    )
    assert json.dumps(content(tally))


def test_a_refusal_at_the_table_has_the_margin_of_the_braking_trajectory() -> None:
    """The end effector moves down at 0.1 m/s. A braking trajectory is about 1 cm long."""
    tally = Tally()
    place = np.array([[0.6, 0.0, 0.02]])
    audit = audit_all(tally)(PANDA, ActionConfig(), PERIOD_S, inverse_kinematics(PANDA, place))
    last = inverse_kinematics(PANDA, place)
    for k in range(200):
        place[0, 2] -= 5e-4 * min(1.0, k / 40)
        now = inverse_kinematics(PANDA, place)
        audit.check(now, (now - last) / PERIOD_S)
        last = now
    (refusal,) = tally.refused
    assert refusal.reason == "table"
    assert refusal.margin_m is not None
    assert -0.001 < refusal.margin_m < 0.001


def test_the_row_is_in_millimetres() -> None:
    tally = Tally(scenes=1, seconds=[2e-4], least=dict.fromkeys(KINDS, 0.04))
    tally.least["table"] = 0.003
    assert table_depth(tally) == pytest.approx(0.005)
    cells = row("some", "tabletop", tally)
    assert cells[4] == "0"
    assert cells[-6:] == ["> 40", "3.0", "40.0", "5.0", "0.00", "200"]


def test_stiffness_decreases_with_the_lever() -> None:
    """600 N m/rad at 0.5 m give 2.4 kN/m; a second joint at the same distance halves it."""
    one = np.zeros((1, 6, 7))
    one[0, 2, 0] = 0.5
    both = one.copy()
    both[0, 2, 1] = -0.5
    with np.errstate(divide="ignore"):
        assert stiffness(one)[0, 2] == pytest.approx(2400.0)
        assert stiffness(both)[0, 2] == pytest.approx(1200.0)


def test_the_contact_force_agrees_with_the_stiffness() -> None:
    down, force = press(0.008)
    assert force == pytest.approx(0.008 * down, rel=0.1)
    assert at_start() == pytest.approx([1210.0, 760.0, 1150.0], abs=5.0)


def test_each_set_point_of_an_evaluation_is_checked() -> None:
    tally, steps = Tally(), list[int]()
    small = EvaluationSettings(skills=2, episodes=1, goals=1)
    run_tabletop(make_baseline("still", 3, 0), small, tally, steps.append)
    assert tally.scenes == 2 + 1
    assert sum(steps) == 2 * 100 + 150
    assert len(tally.seconds) == 8 * sum(steps)
    assert not tally.refused


def test_actions_on_the_twin_are_converted_to_set_points() -> None:
    tally, steps = Tally(), list[int]()
    run_skill_aware(OnnxPolicy(MODELS / "saccm_panda.onnx"), 1, 0, tally, steps.append)
    assert tally.scenes == 20
    assert sum(steps) == 20 * 50
    # A scene is checked until its first refusal; this policy comes close to the table.
    refused = [round(one.after_s / PERIOD_S) for one in tally.refused]
    assert len(tally.seconds) == 8 * 50 * (20 - len(refused)) + sum(refused)
    assert len(refused) < 20
    assert {one.reason for one in tally.refused} <= {"table", "workspace"}
    assert 0.0 < tally.least["end_effector_speed"] < 1.0  # the arms moved
