"""Episodes of one policy on one arm, through the code that skill-serve runs in every tick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from skill_proto.arrays import Array
from skill_proto.messages import Mode
from skill_robots.arm import Arm
from skill_robots.objects import CUBE
from skill_runtime.authority.command import ActiveCommand
from skill_runtime.control.arm_controller import ArmController

COMMAND_LASTS_S = 3600.0
"""The command of an episode does not expire within it [s]."""


FORCE_WINDOW_S = 0.02
"""Forces are means over this time [s]: peaks of single physics steps differ between engines, and a
real robot filters its estimate."""


HAND_NEAR_M = 3e-3
"""The hand's width is this close to that of its start when an episode begins [m]."""


def start_width(controller: ArmController) -> float:
    """Returns the width of the hand at a start [m]: open for a policy that moves the hand.

    Such a policy goes down on the cube while the hand opens. In the simulations the hand is open
    in time; a Franka Hand needs 0.8 s, and a closed one hits the cube.
    """
    moves = any(part.name == "gripper_width_displacement" for part in controller.manifest.action)
    return controller.arm.spec.gripper_width_max if moves else 0.0


def hand_is_there(controller: ArmController) -> bool:
    """Returns whether the hand has the width of a start."""
    return abs(controller.state.gripper_width - start_width(controller)) < HAND_NEAR_M


class Rung(Protocol):
    """An arm with its cube, on which episodes begin alike on every rung."""

    @property
    def arm(self) -> Arm:
        """The arm; its state has the true pose of the cube."""
        ...

    @property
    def mass(self) -> float:
        """Mass of the cube in this episode [kg]."""
        ...

    @property
    def friction(self) -> float:
        """Friction of cube and table in this episode."""
        ...

    def wait(self) -> float:
        """Waits until the next servo period is due; returns its time [s]."""
        ...

    def start(self, controller: ArmController, seed: int) -> None:
        """Puts arm and cube at the start that the seed draws, and the hand at its width."""
        ...

    def contact_force(self) -> Array:
        """Returns the sum of the contact forces on the arm ``(3,)`` [N]."""
        ...

    @property
    def slip_s(self) -> float:
        """Real time that a simulated robot or its client has lost [s]; 0 in lockstep."""
        ...

    def close(self) -> None:
        """Ends the arm."""
        ...


@dataclass(frozen=True, kw_only=True)
class Episode:
    """Recording of one episode of ``T`` control steps, each of ``k`` servo periods."""

    cube: Array
    """``(T + 1, 2)`` cube in the table plane [m]."""
    cube_speed: Array
    """``(T + 1,)`` [m/s]."""
    end_effector: Array
    """``(T + 1, 3)`` measured end effector [m]."""
    gap: Array
    """``(T k,)`` distance of the measured end effector from that of the last set-point [m]."""
    force: Array
    """``(T k,)`` magnitude of the mean contact force over :data:`FORCE_WINDOW_S` [N]."""
    mass: float
    """[kg]."""
    friction: float
    """Friction of cube and table."""
    faults: tuple[str, ...]
    """Reasons of the faults, in words. After the first one the arm holds to the end."""


def run_episode(
    rung: Rung, controller: ArmController, vector: Array, mode: Mode, steps: int
) -> Episode:
    """Runs the policy with one skill or goal from the present start.

    Args:
        rung: the arm, at its start.
        controller: of that arm.
        vector: skill or goal.
        mode: ``skill`` or ``goal``.
        steps: control steps.
    """
    ticks = controller.runner.ticks_per_action
    command: ActiveCommand | None = ActiveCommand(
        kind=mode, vector=vector, expires=rung.wait() + COMMAND_LASTS_S
    )
    seen: list[tuple[Array, float]] = []
    setpoints: list[Array] = []
    measured: list[Array] = []
    force: list[Array] = []
    faults: list[str] = []
    for tick in range(steps * ticks):
        setpoints.append(controller.setpoint.copy())
        report = controller.update(command, mode if command else "hold", rung.wait())
        faults += [fault.reason for fault in report.faults if command is not None]
        if report.faults:
            command = None
        measured.append(controller.state.joint_position)
        force.append(rung.contact_force())
        if tick % ticks == 0:
            seen.append(_cube(controller))
    rung.wait()
    controller.link.read()
    seen.append(_cube(controller))
    spec, base = controller.arm.spec, np.array(controller.adapter.actions.base_position)
    ends = spec.kinematics.forward(np.array([*measured, controller.state.joint_position])).position
    wanted = spec.kinematics.forward(np.array(setpoints)).position
    return Episode(
        cube=np.array([position for position, _ in seen]),
        cube_speed=np.array([speed for _, speed in seen]),
        end_effector=ends[::ticks] + base,
        gap=np.linalg.norm(ends[:-1] - wanted, axis=1),
        force=_mean_force(np.array(force), round(FORCE_WINDOW_S / controller.arm.servo_period_s)),
        mass=rung.mass,
        friction=rung.friction,
        faults=tuple(faults),
    )


def _mean_force(forces: Array, window: int) -> Array:
    """Returns the magnitude ``(t,)`` of the means of ``(t, 3)`` over the last ``window`` rows."""
    total = np.cumsum(np.concatenate([np.zeros((window, 3)), forces]), axis=0)
    return np.linalg.norm(total[window:] - total[:-window], axis=1) / window


def _cube(controller: ArmController) -> tuple[Array, float]:
    pose = controller.state.objects[CUBE]
    return pose.position[:2].copy(), float(np.hypot(*pose.velocity[:2]))
