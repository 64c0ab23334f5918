"""FrankaArm: a real Panda or FR3 behind the interface of every arm."""

from __future__ import annotations

from skill_robots.arm import ArmSpec, ArmState, JointTarget
from skill_robots.franka_driver.config import DriverConfig


class FrankaArm:
    """One robot, moved through its driver process; implements ``Arm``. Made by :meth:`connect`.

    No call waits for the robot: states and set-points cross shared memory.
    """

    is_simulated = False
    lockstep = False

    @classmethod
    def connect(
        cls,
        address: str,
        *,
        servo_rate_hz: float = 200.0,
        realtime: bool = True,
        speed: float = 1.0,
        config: DriverConfig | None = None,
    ) -> FrankaArm:
        """Connects to a robot, checks it, and starts the impedance law at the measured pose.

        Asks the robot for its protocol version first, and imports only the library that speaks it:
        panda-python for a Panda (version 5), franky-control for an FR3 (version 10). Waits up to
        ``START_TIMEOUT_S`` for the robot; call it outside of the control loop.

        Args:
            address: host name or IP address of the robot's control unit.
            servo_rate_hz: rate of the set-points [Hz].
            realtime: whether driver and vendor's law ask for SCHED_FIFO and locked memory. A
                refusal is a remark (:attr:`remarks`), not an error.
            speed: share of the published joint and end-effector speeds that :attr:`spec` allows,
                in (0, 1].
            config: thresholds, payload and gripper; None for the suggested start values.

        Raises:
            ArmError: nobody listens, the robot's version or the installed package does not fit, or
                a start-up check failed (mode, brakes, errors, end-effector frame). The text names
                the problem and its remedy.
            ValueError: ``speed`` or ``servo_rate_hz`` is out of range.
        """
        raise NotImplementedError

    @property
    def remarks(self) -> tuple[str, ...]:
        """Observations of the start for the user, e.g. payload, thresholds, refused scheduling."""
        raise NotImplementedError

    @property
    def spec(self) -> ArmSpec:
        """``PANDA`` or ``FR3`` with the limits of this robot, as far as it states them."""
        raise NotImplementedError

    @property
    def servo_period_s(self) -> float:
        """Time between two set-points [s]."""
        raise NotImplementedError

    def read(self) -> ArmState:
        """Returns the newest state; ``time_s`` is the robot's own time.

        Raises:
            ArmContactError: the robot stopped because of a contact (``joint_reflex``,
                ``cartesian_reflex`` or ``self_collision_avoidance_violation``).
            ArmCommunicationError: the newest state is older than 20 ms, or the robot recovers.
            ArmError: the robot reports another error, its user stop is pressed, it is guided by
                hand, or the driver process has ended. The text has the robot's own error names.
        """
        raise NotImplementedError

    def command(self, target: JointTarget) -> None:
        """Hands one set-point to the driver.

        Raises:
            ArmCommunicationError: the driver takes no set-point: it brakes or holds elsewhere, or
                the robot stopped with ``communication_constraints_violation``.
            ArmContactError, ArmError: as for :meth:`read`.
        """
        raise NotImplementedError

    def recover(self) -> None:
        """Clears the robot's errors, or starts an ended driver again, and returns at once.

        :meth:`read` raises ``ArmCommunicationError`` until the robot holds its measured pose. The
        call has no effect without an error. The caller makes sure that an operator has agreed
        after a contact.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Brings the robot to rest, ends law and processes; takes at most ``CLOSE_TIMEOUT_S``."""
        raise NotImplementedError
