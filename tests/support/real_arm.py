"""An arm that the server sees as a real one: free-running, and blind to objects."""

from __future__ import annotations

import time
from dataclasses import replace

from skill_robots.arm import ArmSpec, ArmState, JointTarget
from skill_robots.franka.specs import PANDA
from skill_runtime.fault_injection.faulty_arm import FollowerArm


class RealArm:
    """Follows each set-point within a servo period; implements ``Arm``, not ``Scene``."""

    is_simulated = False
    lockstep = False

    def __init__(self, spec: ArmSpec = PANDA, servo_period_s: float = 0.005) -> None:
        self.spec = spec
        self.servo_period_s = servo_period_s
        self.recoveries = 0
        self._arm = FollowerArm(spec, servo_period_s, seed=0, now=time.monotonic)

    def read(self) -> ArmState:
        return replace(self._arm.read(), objects={})

    def command(self, target: JointTarget) -> None:
        self._arm.command(target)

    def recover(self) -> None:
        self.recoveries += 1

    def close(self) -> None:
        self._arm.close()
