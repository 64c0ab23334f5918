"""The simulated rungs of the ladder: MuJoCo, the plant of training, and PyBullet."""

from __future__ import annotations

from math import inf

from benchmarks.arms.episodes import hand_is_there, start_width
from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.tasks.tabletop.simulated_arm import TabletopArm
from skill_runtime.authority.command import ActiveCommand
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.server.backends import Simulation, simulated_arm

HAND_S = 1.0
"""Time for the hand to open [s]."""


class SimulatedRung:
    """One served simulation in lockstep; implements ``Rung``.

    Args:
        manifest: of the policy.
        name: of the engine.
        servo_rate_hz: rate of the set-points [Hz].
    """

    def __init__(
        self, manifest: PolicyManifest, name: Simulation, servo_rate_hz: float = 200.0
    ) -> None:
        self.arm: TabletopArm = simulated_arm(
            manifest, servo_rate_hz=servo_rate_hz, seed=0, name=name
        )
        self._now = 0.0

    @property
    def mass(self) -> float:
        """Mass of the cube [kg]."""
        return self.arm.context["mass"]

    @property
    def friction(self) -> float:
        """Friction of cube and table."""
        return self.arm.context["friction"]

    def wait(self) -> float:
        """Returns the time of the next servo period [s]; lockstep has no wait."""
        self._now += self.arm.servo_period_s
        return self._now

    def start(self, controller: ArmController, seed: int) -> None:
        """Begins a new random start, and moves the hand to its width."""
        controller.reset(seed)
        controller.link.read()
        if hand_is_there(controller):
            return
        rests = ActiveCommand(
            kind="servo_joint",
            vector=controller.state.joint_position.copy(),
            expires=inf,
            gripper_width=start_width(controller),
        )
        for _ in range(round(HAND_S / self.arm.servo_period_s)):
            controller.update(rests, "servo", self.wait())
        controller.runner.reset()

    def contact_force(self) -> Array:
        """Returns the sum of the contact forces on the arm ``(3,)`` [N]."""
        return self.arm.contact_force()

    @property
    def slip_s(self) -> float:
        """Always 0: time in lockstep is that of the simulation."""
        return 0.0

    def close(self) -> None:
        """Frees the engine."""
        self.arm.close()
