"""An FR3 through franky (protocol version 10)."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np

from skill_proto.arrays import Array
from skill_robots.franka.robot_mode import RobotMode
from skill_robots.franka_driver.config import DriverConfig
from skill_robots.franka_driver.robot import (
    EndEffector,
    RobotCommandError,
    RobotLinkError,
    Snapshot,
    configure,
    names_of_errors,
)

MAX_TORQUE_CHANGE_NM = 1.5
"""Largest change of the law's torque in a millisecond, before libfranka's low-pass of 100 Hz [N m].
.58 N m of it reach the robot, which permits 1. With franky's default of 1 N m, only .39 N m would
do so, and the arm would follow 5 mm beside the plant of training
(``python -m benchmarks.arms.plant_parity``)."""

STOP_S = 1.0
"""Longest time of the law that ends a motion [s]."""


class Fr3:
    """One FR3; implements ``VendorRobot``.

    franky's joint impedance law saturates the change of torque, and libfranka's low-pass of 100 Hz
    filters it. The plant of training has no Coriolis compensation, so the law has none.

    Args:
        address: host name or IP address.
        stiffness: ``(7,)`` [N m/rad].
        damping: ``(7,)`` [N m s/rad].
    """

    def __init__(self, address: str, stiffness: Array, damping: Array) -> None:
        import franky

        self._franky: Any = franky
        self._stiffness, self._damping = stiffness, damping
        self._tracker: Any = None
        with _errors(franky):
            self._robot: Any = franky.Robot(address, realtime_config=franky.RealtimeConfig.Ignore)

    def end_effector(self) -> EndEffector:
        """Returns the configured end effector."""
        with _errors(self._franky):
            state = self._robot.state
        return EndEffector(
            frame=np.array(state.F_T_EE.matrix),
            mass_kg=float(state.m_ee),
            center_m=tuple(float(value) for value in state.F_x_Cee),
        )

    def configure(self, config: DriverConfig) -> None:
        """Sets thresholds and payload."""
        with _errors(self._franky):
            configure(self._robot, config)

    def start(self) -> Array:
        """Starts the impedance law at the measured pose."""
        with _errors(self._franky):
            self._tracker = self._franky.JointImpedanceTracker(
                self._robot,
                stiffness=self._stiffness,
                damping=self._damping,
                compensate_coriolis=False,
                max_delta_tau=MAX_TORQUE_CHANGE_NM,
            )
            return np.array(self._tracker.motion.get_reference().q)

    def feed(self, position: Array, velocity: Array) -> None:
        """Gives the law its reference."""
        self._tracker.set_target(position, velocity)

    def read(self) -> Snapshot:
        """Returns the newest state."""
        with _errors(self._franky):
            state = self._robot.state
        return Snapshot(
            state.time.to_msec(),
            RobotMode(int(state.robot_mode)),
            state.q,
            state.dq,
            state.control_command_success_rate,
        )

    def has_ended(self) -> str | None:
        """Returns franky's text if the law has ended by itself."""
        if self._robot.is_in_control:
            return None
        try:
            self._robot.join_motion(0.1)
        except self._franky.NetworkException as error:
            raise RobotLinkError(str(error)) from None
        except Exception as error:  # franky's exceptions share no base but Exception
            return str(error)
        return "the impedance law has ended"

    def errors(self) -> tuple[str, ...]:
        """Returns the present errors."""
        with _errors(self._franky):
            return names_of_errors(self._robot.state.current_errors)

    def recover(self) -> None:
        """Runs the robot's automatic error recovery."""
        with _errors(self._franky):
            if not self._robot.recover_from_errors():
                raise RobotCommandError("the robot has not recovered")

    def finish(self) -> None:
        """Ends the law: franky's stop motion turns it into damping, until the arm is at rest."""
        if self._tracker is None or not self._robot.is_in_control:
            return
        stop = self._franky.TorqueStopMotion(
            damping=self._damping, max_duration=STOP_S, compensate_coriolis=False
        )
        with _errors(self._franky):
            self._tracker.stop(stop)


@contextmanager
def _errors(franky: Any) -> Generator[None]:  # noqa: ANN401  the module
    """Turns franky's exceptions into the driver's."""
    try:
        yield
    except (RobotLinkError, RobotCommandError):
        raise
    except (
        franky.NetworkException,
        franky.ProtocolException,
        franky.IncompatibleVersionException,
    ) as error:
        raise RobotLinkError(str(error)) from None
    except Exception as error:  # franky's exceptions share no base but Exception
        raise RobotCommandError(str(error)) from None
