"""Questions that need a motion.

The robot holds its pose in all of them but ``float_without_torque``. There it only compensates the
weight of arm, end effector and payload, so the arm sinks or rises if Desk has a wrong end effector
or payload; a motion of ``motion.MAX_DRIFT_RAD`` ends that test.

The largest command is a step of 0.1 mrad or of 1.5 N m for one millisecond in joint 7, which a
robot refuses with a reflex. The program recovers from such a reflex. It does not recover from a
contact, and starts no further motion after one.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from skill_robots.control_box.wire.protocol import Request
from skill_robots.franka_driver.robot import CONTACTS
from skill_runtime.doctor.control_box.client import ControlBoxError
from skill_runtime.doctor.control_box.motion import (
    Answering,
    Command,
    Motion,
    run_motion,
)
from skill_runtime.doctor.control_box.received_state import ReceivedState, decode
from skill_runtime.doctor.control_box.resting_tests import status_names
from skill_runtime.doctor.control_box.robot_test import Answer, Bench, RobotTest

HOLD_STATES = 2000
SHORT_STATES = 500
SILENT_FROM = 200
"""State after which answers fail to come, or a wrong one is sent."""

STEP_RAD = 1e-4
STEP_NM = 1.5
"""Above the limit of 1 N m per millisecond."""

RECOVERY_S = 30.0
"""Longest wait for a recovery [s]."""

CONTACT_FACT = "contact"
"""Name of the fact that a contact has ended a motion."""


def hold(bench: Bench) -> Answer:
    """Holds the pose with the robot's own impedance."""
    return _run(bench, torque=False, states=HOLD_STATES, answering=_holding())


def float_without_torque(bench: Bench) -> Answer:
    """Commands no torque: the robot only compensates the weight that Desk knows."""
    return _run(bench, torque=True, states=1000, answering=_holding())


def silent_15_ms(bench: Bench) -> Answer:
    """Leaves 15 states without an answer."""
    return _run(bench, torque=False, states=SHORT_STATES, answering=_holding(silent=15))


def silent_30_ms(bench: Bench) -> Answer:
    """Leaves 30 states without an answer."""
    return _run(bench, torque=False, states=SHORT_STATES, answering=_holding(silent=30))


def position_step(bench: Bench) -> Answer:
    """Commands a step of :data:`STEP_RAD` in joint 7."""
    answering = _holding(position_step=STEP_RAD)
    return _run(bench, torque=False, states=SHORT_STATES, answering=answering)


def torque_step(bench: Bench) -> Answer:
    """Commands :data:`STEP_NM` in joint 7 for one millisecond."""
    answering = _holding(torque_step=STEP_NM)
    return _run(bench, torque=True, states=SHORT_STATES, answering=answering)


MOVING_TESTS = (
    RobotTest(
        name="hold",
        question="Which share of commands arrives in time while the robot holds its pose for 2 s?",
        ask=hold,
    ),
    RobotTest(
        name="float_without_torque",
        question="How far do joints drift in 1 s without commanded torques?",
        ask=float_without_torque,
    ),
    RobotTest(
        name="silent_15_ms",
        question="Does a motion survive 15 ms without commands?",
        ask=silent_15_ms,
    ),
    RobotTest(
        name="silent_30_ms",
        question="After how many ms without commands does the robot stop, with which errors?",
        ask=silent_30_ms,
    ),
    RobotTest(
        name="position_step",
        question=f"Which errors has a step of {STEP_RAD:g} rad in joint 7?",
        ask=position_step,
    ),
    RobotTest(
        name="torque_step",
        question=f"Which errors have {STEP_NM:g} N m for one millisecond in joint 7?",
        ask=torque_step,
    ),
)
"""For a robot with open brakes and nobody in its reach."""


def _holding(
    *, silent: int = 0, position_step: float = 0.0, torque_step: float = 0.0
) -> Callable[[ReceivedState], Answering]:
    """Returns the answers of a motion at rest.

    Args:
        silent: number of states without an answer, from :data:`SILENT_FROM` on.
        position_step: step of joint 7 there [rad], which stays.
        torque_step: torque of joint 7 there, in one answer [N m].
    """
    joint_7, no_torque = np.eye(7)[6], np.zeros(7)

    def answering(first: ReceivedState) -> Answering:
        held = first.numbers["q_d"]
        before = Command(held, no_torque)
        once = Command(held + position_step * joint_7, torque_step * joint_7)
        after = Command(once.position, no_torque)

        def answer(k: int) -> Command | None:
            if k < SILENT_FROM:
                return before
            if k < SILENT_FROM + silent:
                return None
            return once if k == SILENT_FROM else after

        return answer

    return answering


def _run(
    bench: Bench,
    *,
    torque: bool,
    states: int,
    answering: Callable[[ReceivedState], Answering],
) -> Answer:
    """Runs a motion, and recovers if it ended with a reflex other than a contact.

    Raises:
        ControlBoxError: the motion or the recovery fails, the motion ended with a contact, or an
            earlier one did.
    """
    if CONTACT_FACT in bench.facts:
        raise ControlBoxError(
            "not started, because a contact ended an earlier motion. Look at the robot, recover in "
            "Desk, and run skill-doctor --move again"
        )
    found = run_motion(bench, Motion(torque=torque, states=states, answering=answering))
    client, protocol = bench.client, bench.protocol
    client.discard()
    stopped = decode(client.receive(), protocol)
    if stopped.robot_mode != "reflex":
        return found
    refuse_contact(bench, stopped)
    reply = client.request(protocol, Request.AUTOMATIC_ERROR_RECOVERY, timeout_s=RECOVERY_S)
    recovered = time.monotonic()
    while (state := decode(client.newest(), protocol)).robot_mode != "idle":
        if time.monotonic() > recovered + RECOVERY_S:
            raise ControlBoxError(f"the robot is in the mode {state.robot_mode} after a recovery")
    names = status_names(protocol.recovery_codes)
    return {
        **found,
        "recovery": names.get(reply.status, str(reply.status)),
        "recovery_reply_after_s": round(reply.seconds, 4),
        "idle_after_the_reply_s": round(time.monotonic() - recovered, 4),
        "errors_after_recovery": list(state.errors),
        "reflex_reason_after_recovery": list(state.reflex_reason),
    }


def refuse_contact(bench: Bench, state: ReceivedState) -> None:
    """Prevents the recovery and further motions if a contact has stopped the robot.

    Args:
        bench: notes the contact for the tests that follow.
        state: of a robot in the mode reflex.

    Raises:
        ControlBoxError: the state has an error of a contact (``franka_driver.robot.CONTACTS``).
    """
    names = dict.fromkeys((*state.errors, *state.reflex_reason))
    found = [name for name in names if name in CONTACTS]
    if not found:
        return
    bench.facts[CONTACT_FACT] = found
    raise ControlBoxError(
        f"the robot stopped with {', '.join(found)}. Look at the robot: something may touch it, or "
        "Desk has a wrong end effector or payload. Free the robot, correct Desk and recover there. "
        "skill-doctor does not recover from a contact, and starts no further motion"
    )
