"""A Panda (FER) through panda-python (protocol version 5)."""

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


class Fer:
    """One Panda; implements ``VendorRobot``.

    Three traps of panda-python 1.1: after a stop of the robot ``is_moving()`` stays true and
    ``get_state()`` returns the last state of the motion; ``start_controller()`` runs the automatic
    error recovery without a question, so :meth:`start` reads the robot first; and near the ends of
    a joint's range the controllers add a repulsion that the plant of training lacks.

    Args:
        address: host name or IP address.
        stiffness: ``(7,)`` [N m/rad].
        damping: ``(7,)`` [N m s/rad].
    """

    def __init__(self, address: str, stiffness: Array, damping: Array) -> None:
        import panda_py
        from panda_py import controllers

        self._controllers: Any = controllers
        self._stiffness, self._damping = stiffness, damping
        self._controller: Any = None
        self._runs = False
        with _errors():
            self._panda: Any = panda_py.Panda(address)
            self._robot: Any = self._panda.get_robot()

    def end_effector(self) -> EndEffector:
        """Returns the configured end effector."""
        state = self._idle_state()
        return EndEffector(
            frame=np.array(state.F_T_EE).reshape(4, 4).T,
            mass_kg=float(state.m_ee),
            center_m=tuple(state.F_x_Cee),
        )

    def configure(self, config: DriverConfig) -> None:
        """Sets thresholds and payload."""
        with _errors():
            configure(self._robot, config)

    def start(self) -> Array:
        """Starts the impedance law at the measured pose."""
        state = self._idle_state()
        errors = names_of_errors(state.current_errors)
        mode = RobotMode(int(state.robot_mode))
        if errors or mode is not RobotMode.IDLE:
            raise RobotCommandError(", ".join(errors) or f"the robot is in mode {mode.name}")
        controller = self._controllers.JointPosition(
            stiffness=self._stiffness, damping=self._damping, filter_coeff=1.0
        )
        position = np.array(state.q)
        with _errors():
            self._panda.start_controller(controller)
            controller.set_control(position, np.zeros(7))
        self._controller, self._runs = controller, True
        return position

    def feed(self, position: Array, velocity: Array) -> None:
        """Gives the law its reference."""
        self._controller.set_control(position, velocity)

    def read(self) -> Snapshot:
        """Returns the newest state."""
        state = self._panda.get_state() if self._runs else self._idle_state()
        return Snapshot(
            state.time.to_msec(),
            RobotMode(int(state.robot_mode)),
            np.array(state.q),
            np.array(state.dq),
            state.control_command_success_rate,
        )

    def has_ended(self) -> str | None:
        """Returns libfranka's text if the law has ended by itself."""
        try:
            self._panda.raise_error()
        except Exception as error:  # the types of panda-python's exceptions differ by cause
            self._runs = False
            self._release()
            if _is_link_error(error):
                raise RobotLinkError(str(error)) from None
            return str(error)
        return None

    def errors(self) -> tuple[str, ...]:
        """Returns the present errors."""
        return names_of_errors(self._idle_state().current_errors)

    def recover(self) -> None:
        """Runs the robot's automatic error recovery."""
        with _errors():
            self._robot.automatic_error_recovery()

    def finish(self) -> None:
        """Ends the law."""
        if not self._runs:
            return
        self._runs = False
        with _errors():
            self._panda.stop_controller()

    def _release(self) -> None:
        """Lets panda-python join the thread of a law that has ended."""
        try:
            self._panda.stop_controller()
        except Exception:  # it raises the error of the law again
            return

    def _idle_state(self) -> Any:  # noqa: ANN401  libfranka's RobotState
        with _errors():
            return self._robot.read_once()


def _is_link_error(error: Exception) -> bool:
    """Returns whether libfranka's text, the only trace of its exception, is about the network."""
    text = str(error)
    return any(part in text for part in ("UDP", "TCP", "onnection", "Incompatible", "ersion"))


@contextmanager
def _errors() -> Generator[None]:
    """Turns libfranka's exceptions into the driver's."""
    try:
        yield
    except (RobotLinkError, RobotCommandError):
        raise
    except Exception as error:  # as in has_ended()
        if _is_link_error(error):
            raise RobotLinkError(str(error)) from None
        raise RobotCommandError(str(error)) from None
