"""The interface of a vendor's library, and the rules that hold for both of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from skill_proto.arrays import Array
from skill_robots.franka.handshake import RobotStatus
from skill_robots.franka.robot_mode import RobotMode
from skill_robots.franka_driver.config import DriverConfig
from skill_robots.franka_driver.records import StopClass

CONTACTS = frozenset({"joint_reflex", "cartesian_reflex", "self_collision_avoidance_violation"})
"""libfranka's names of the stops because of a contact."""

COMMUNICATION = "communication_constraints_violation"
"""libfranka's name of a stop after more than 20 missed commands."""

MODE_TEXTS = {
    RobotMode.OTHER: "the robot is not ready: unlock the brakes and activate FCI in Desk",
    RobotMode.GUIDING: "the robot is guided by hand: release the buttons at its wrist",
    RobotMode.USER_STOPPED: "the user stop is pressed: release it, and activate FCI in Desk",
}
"""Why a robot in this mode does not move."""


class RobotLinkError(Exception):
    """The connection to the robot is lost or refused."""


class RobotCommandError(Exception):
    """The robot refuses a request; the connection lasts."""


class Snapshot(NamedTuple):
    """State of the robot at one instant."""

    time_ms: int
    """The robot's own time."""
    mode: RobotMode
    position: Array
    """``(7,)`` [rad]."""
    velocity: Array
    """``(7,)`` [rad/s]."""
    success_rate: float
    """Share of the last 100 commands that arrived in time; 0 outside of a motion."""


@dataclass(frozen=True, kw_only=True)
class EndEffector:
    """The end effector as configured in Desk."""

    frame: Array
    """Flange to end effector, ``F_T_EE`` ``(4, 4)``."""
    mass_kg: float
    """``m_ee`` [kg]."""
    center_m: tuple[float, ...]
    """Centre of mass in the flange's frame, ``F_x_Cee`` [m]."""


class VendorRobot(Protocol):
    """One robot behind a vendor's library. All calls come from one thread.

    Raises:
        RobotLinkError: from any method, if the connection is lost.
    """

    def end_effector(self) -> EndEffector:
        """Returns the configured end effector; only while no law runs."""
        ...

    def configure(self, config: DriverConfig) -> None:
        """Sets thresholds and payload; only while no law runs.

        Raises:
            RobotCommandError: the robot refuses them.
        """
        ...

    def start(self) -> Array:
        """Starts the impedance law at the measured pose, and returns this pose ``(7,)`` [rad].

        Raises:
            RobotCommandError: the robot refuses to move.
        """
        ...

    def feed(self, position: Array, velocity: Array) -> None:
        """Gives the law its reference ``(7,)`` [rad], [rad/s]."""
        ...

    def read(self) -> Snapshot:
        """Returns the newest state; without a law, waits up to some milliseconds for one."""
        ...

    def has_ended(self) -> str | None:
        """Returns the library's text if the law has ended by itself; None while it runs."""
        ...

    def errors(self) -> tuple[str, ...]:
        """Returns the present errors, by libfranka's names; only while no law runs."""
        ...

    def recover(self) -> None:
        """Runs the robot's automatic error recovery; may take seconds.

        Raises:
            RobotCommandError: the robot cannot recover.
        """
        ...

    def finish(self) -> None:
        """Ends the law with an arm at rest; takes at most about 2 s."""
        ...


def configure(robot: Any, config: DriverConfig) -> None:  # noqa: ANN401  a library's robot
    """Sets thresholds and payload through the calls that both libraries have."""
    robot.set_collision_behavior(
        list(config.contact_torque_nm),
        list(config.collision_torque_nm),
        list(config.contact_force_n),
        list(config.collision_force_n),
    )
    # Also without a payload: one that another program has set stays in force otherwise.
    robot.set_load(config.load_mass_kg, list(config.load_center_m), [0.0] * 9)


def names_of_errors(errors: Any) -> tuple[str, ...]:  # noqa: ANN401  a library's Errors
    """Returns libfranka's names of the errors that are present."""
    return tuple(
        name
        for name, kind in vars(type(errors)).items()
        if isinstance(kind, property) and getattr(errors, name)
    )


def class_of(errors: Iterable[str], mode: RobotMode) -> StopClass:
    """Returns the class of a stop from the robot's errors and mode."""
    names = set(errors)
    if names & CONTACTS:
        return StopClass.CONTACT
    if names == {COMMUNICATION} and mode not in MODE_TEXTS:
        return StopClass.COMMUNICATION
    return StopClass.OTHER


def text_of(errors: Iterable[str], mode: RobotMode) -> str:
    """Returns the robot's own names of its errors; without any, the meaning of its mode."""
    named = ", ".join(errors)
    if mode in MODE_TEXTS:
        return f"{MODE_TEXTS[mode]} ({named})" if named else MODE_TEXTS[mode]
    return named or f"the robot is in mode {mode.name.lower()}"


# Start-up checks -------------------------------------------------------------------------------

_NOMINAL_FRAME = np.array(
    [
        [np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0],
        [-np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.1034],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
"""Flange to end effector of the Franka Hand: turned by -45 degrees, .1034 m along z (Franka's
nominal end effector)."""

_FRAME_TOLERANCE = 1e-3
"""Of each entry of the frame, [m] for a position."""


class StartCheckError(Exception):
    """The robot is not as the driver needs it; the text names the remedy.

    Args:
        text: the problem and its remedy.
        stop: class of the stop that the robot is in.
    """

    def __init__(self, text: str, stop: StopClass = StopClass.OTHER) -> None:
        super().__init__(text)
        self.stop = stop


START_REMEDY = "look at the robot, then start again with the option that clears errors (--recover)"
"""Remedy for errors that the start may not clear."""


def check_status(status: RobotStatus, config: DriverConfig, *, remedy: str = START_REMEDY) -> bool:
    """Returns whether the robot needs an error recovery before it moves.

    A stop because of the connection is the trace of an earlier driver that died, and is cleared
    without a question.

    Args:
        status: mode and errors of the robot.
        config: whether other errors may be cleared, too.
        remedy: what helps if they may not.

    Raises:
        StartCheckError: the robot cannot move now.
    """
    mode, errors = RobotMode(status.mode), status.errors
    if mode in MODE_TEXTS:
        raise StartCheckError(text_of(errors, mode), class_of(errors, mode))
    if mode is RobotMode.IDLE and not errors:
        return False
    if mode is RobotMode.MOVE:
        raise StartCheckError(
            "the robot moves: another program controls it; end that program", StopClass.OTHER
        )
    stop = class_of(errors, mode)
    if not config.recover_at_start and stop is not StopClass.COMMUNICATION:
        raise StartCheckError(
            f"the robot has stopped itself: {text_of(errors, mode)}; {remedy}", stop
        )
    return True


def thresholds_text(config: DriverConfig) -> str:
    """Returns the thresholds of collisions, and from which force contacts are reported."""
    force, moment = config.collision_force_n[:3], config.collision_force_n[3:]
    return (
        f"the robot stops itself at {_numbers(force)} N, {_numbers(moment)} N m at the hand, or "
        f"{_numbers(config.collision_torque_nm)} N m in its joints; it reports contacts from "
        f"{_numbers(config.contact_force_n[:3])} N"
    )


def _numbers(values: tuple[float, ...]) -> str:
    """Returns the numbers of an axis or joint each; one if all are equal."""
    shown = values[:1] if len(set(values)) == 1 else values
    return "/".join(f"{value:g}" for value in shown)


def check_end_effector(found: EndEffector, config: DriverConfig) -> list[str]:
    """Compares end-effector frame and payload with those of the Franka Hand.

    Returns:
        Remarks for the user.

    Raises:
        StartCheckError: the frame is another one.
    """
    frame = found.frame
    if not np.allclose(frame, _NOMINAL_FRAME, atol=_FRAME_TOLERANCE):
        x, y, z = frame[:3, 3]
        raise StartCheckError(
            f"the robot's end-effector frame is at ({x:.4f}, {y:.4f}, {z:.4f}) m from its flange, "
            "expected the Franka Hand's, (0, 0, 0.1034) m, turned by -45 degrees: choose the "
            "Franka Hand as end effector in Desk, and reset set_EE"
        )
    center = ", ".join(f"{value:.3f}" for value in found.center_m)
    remarks = [f"end effector {found.mass_kg:.3f} kg, centre of mass ({center}) m"]
    difference = found.mass_kg - config.hand_mass_kg
    if abs(difference) > config.hand_mass_tolerance_kg:
        remarks.append(
            f"the end effector's mass in Desk differs by {difference:+.3f} kg from the hand's "
            f"{config.hand_mass_kg:.2f} kg: the arm will sag or rise, and contact thresholds "
            "lose that much; set the mass in Desk"
        )
    return remarks
