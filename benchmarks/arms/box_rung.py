"""The highest rung without a robot: the real driver and a vendor's library, on the control box."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace

import numpy as np

from benchmarks.arms.box_process import BoxProcess
from benchmarks.arms.episodes import hand_is_there, start_width
from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.arm import ArmError, ArmSpec, ArmState, JointTarget
from skill_robots.franka.model import FrankaRobot
from skill_robots.franka_driver.franka_arm import FrankaArm
from skill_robots.objects import CUBE
from skill_runtime.authority.command import ActiveCommand
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.state_monitor import COMMUNICATION_TIMEOUT_S
from skill_runtime.realtime.clock import MonotonicClock
from skill_runtime.realtime.pacing import Pacer
from skill_runtime.realtime.scheduling import configure_thread
from skill_runtime.server.backends import simulated_arm

ADDRESSES: dict[FrankaRobot, str] = {"fer": "127.86.9.5", "fr3": "127.86.9.10"}

ASIDE_M = (3.0, 3.0)
"""Place of the cube while the arm moves to a start, out of its reach [m]."""

RAISED_M = 0.2
"""Height at which the hand moves to a start [m]."""

NEAR_RAD = 0.01
"""Every joint is this close to its start when an episode begins [rad]."""

START_S = 20.0
"""Longest way to a start [s]."""


class SightedArm:
    """A real arm with the true pose of the cube in its state; implements ``Arm``."""

    is_simulated = False
    lockstep = False

    def __init__(self, arm: FrankaArm, box: BoxProcess) -> None:
        self._arm, self._box = arm, box
        self.force = np.zeros(3)

    @property
    def spec(self) -> ArmSpec:
        """Limits of the robot."""
        return self._arm.spec

    @property
    def servo_period_s(self) -> float:
        """Time between two set-points [s]."""
        return self._arm.servo_period_s

    def read(self) -> ArmState:
        """Returns the newest state."""
        truth = self._box.truth()
        self.force = np.array(truth.force)
        return replace(self._arm.read(), objects={CUBE: truth.cube})

    def command(self, target: JointTarget) -> None:
        """Sends a set-point."""
        self._arm.command(target)

    def recover(self) -> None:
        """Begins recovery."""
        self._arm.recover()

    def close(self) -> None:
        """Ends driver and connection."""
        self._arm.close()


class BoxRung:
    """A control box in real time, with its driver; implements ``Rung``.

    Starts, masses and frictions are those that the simulations draw.

    Args:
        manifest: of the policy.
        robot: the robot.
        servo_rate_hz: rate of the set-points [Hz].

    Raises:
        ArmError: the driver refuses the box.
        SystemExit: the box does not start.
    """

    def __init__(
        self, manifest: PolicyManifest, robot: FrankaRobot, servo_rate_hz: float = 200.0
    ) -> None:
        configure_thread(realtime=True)
        self._box = BoxProcess(robot, ADDRESSES[robot])
        with ExitStack() as opened:
            opened.callback(self._box.close)
            arm = FrankaArm.connect(ADDRESSES[robot], servo_rate_hz=servo_rate_hz)
            opened.callback(arm.close)
            self._drawn = simulated_arm(manifest, servo_rate_hz=servo_rate_hz, seed=0)
            opened.pop_all()  # from here on, close() ends both
        self.arm = SightedArm(arm, self._box)
        self._clock = MonotonicClock()
        self._pacer = Pacer(arm.servo_period_s, self._clock)
        self._pacer.start()
        self._woken_s = self._clock.now()
        self._own_s = 0.0

    @property
    def mass(self) -> float:
        """Mass of the cube [kg]."""
        return self._drawn.context["mass"]

    @property
    def friction(self) -> float:
        """Friction of cube and table."""
        return self._drawn.context["friction"]

    @property
    def slip_s(self) -> float:
        """Real time that box and benchmark have lost [s].

        More than 20 ms makes a run inconclusive. A pause of the benchmark counts if it is longer
        than that: then the arm had no set-point for too long.
        """
        return self._box.truth().slip_s + self._own_s

    def wait(self) -> float:
        """Waits for the next servo period; returns its time [s]."""
        self._pacer.wait()
        now = self._clock.now()
        if now - self._woken_s > COMMUNICATION_TIMEOUT_S:
            self._own_s += now - self._woken_s
        self._woken_s = now
        return now

    def contact_force(self) -> Array:
        """Returns the force that the robot estimates ``(3,)`` [N]."""
        return self.arm.force

    def start(self, controller: ArmController, seed: int) -> None:
        """Moves arm and hand to the start that the seed draws, and then puts the cube there."""
        self._drawn.reset(seed)
        start = self._drawn.read()
        pose = start.objects[CUBE]
        self._box.place(*ASIDE_M, 0.0, self.mass, self.friction)
        joints = start.joint_position
        end = controller.adapter.measured_end_effector(start)[0]
        self._move(controller, "servo_pose", np.array([*end[:2], RAISED_M]), None)
        self._move(controller, "servo_joint", joints, joints)
        yaw = 2.0 * float(np.arctan2(pose.quaternion[3], pose.quaternion[0]))
        x, y, _ = pose.position.tolist()
        self._box.place(x, y, yaw, self.mass, self.friction)
        for _ in range(20):
            controller.update(None, "hold", self.wait())
        controller.runner.reset()

    def _move(
        self, controller: ArmController, kind: str, target: Array, joints: Array | None
    ) -> None:
        """Moves until the arm is at rest at the target; recovers from faults on the way."""
        ends = time.monotonic() + START_S
        wanted = ActiveCommand(
            kind=kind, vector=target, expires=np.inf, gripper_width=start_width(controller)
        )
        command: ActiveCommand | None = wanted
        while True:
            report = controller.update(command, "servo" if command else "hold", self.wait())
            if report.faults:
                command = None
                if any(fault.kind != "communication" for fault in report.faults):
                    controller.recover("arm")
            elif command is None and controller.at_rest:
                command = wanted  # earlier, each tick would begin again at the measured joints
            elif (
                command is not None
                and controller.at_rest
                and hand_is_there(controller)
                and self._is_there(controller, target, joints)
            ):
                return
            if time.monotonic() > ends:
                raise ArmError(f"the arm does not reach its start: {report.faults}")

    def _is_there(self, controller: ArmController, target: Array, joints: Array | None) -> bool:
        if joints is not None:
            return float(np.abs(controller.state.joint_position - joints).max()) < NEAR_RAD
        return float(np.abs(controller.measured_end_effector()[0] - target).max()) < NEAR_RAD

    def close(self) -> None:
        """Ends driver and box."""
        try:
            self.arm.close()
        finally:
            self._box.close()
