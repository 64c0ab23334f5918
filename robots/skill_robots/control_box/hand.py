"""Hand: the Franka Hand of the simulated robot.

The rules are those of libfranka's ``franka::Gripper`` and of reports of users: a grasp succeeds if
``width - epsilon_inner < d < width + epsilon_outer``, an unsuccessful grasp lets go again (panda-py
issue 50), a second grasp of the same object is unsuccessful (libfranka issue 108), a stop ends the
force of a grasp (franka_ros issue 30), an epsilon of 1 m is refused (franky issue 58). Numbers
that no document gives are guesses and say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from math import copysign

from skill_robots.control_box.config import CYCLE_S, RobotConfig
from skill_robots.control_box.physics.plant import Plant
from skill_robots.control_box.wire.protocol import GripperStatus

MAX_FORCE_N = 70.0
"""Largest continuous force of each finger [N] (data sheet of the Franka Hand)."""
MAX_SPEED_M_S = 0.1
"""Largest rate of the width [m/s]: 50 mm/s for each finger (data sheet)."""

HOMING_SPEED_M_S = 0.05
"""Rate of the width while homing [m/s]; a guess."""
HOMING_FORCE_N = 10.0
"""Force of each finger at which it finds its end stops [N]; a guess."""
MOVE_FORCE_N = 30.0
"""Force of each finger at which a move is blocked [N]; a guess."""
RELEASE_M = 0.005
"""An unsuccessful grasp opens by this much [m]; a guess."""
WIDTH_TOLERANCE_M = 0.001
"""A width may exceed ``max_width`` by this much [m], so that homing cannot make 0.08 m invalid."""
TEMPERATURE_C = 30.0
"""Reported temperature [degrees C]."""

_STIFFNESS, _DAMPING = 2000.0, 43.0
"""Servo of the fingers on half of the width [N/m, N s/m], that of the plant of training."""

_REACHED_M = 0.0002
"""A width this close to its goal is reached [m]."""
_STILL_SHARE = 0.05
"""Fingers slower than this share of the commanded speed stand still."""
_PRESS_CYCLES = 20
"""Cycles without motion after which the fingers press with their full force."""
_STALL_CYCLES = 50
"""Cycles without motion after which the fingers are blocked."""


@dataclass(frozen=True)
class HandState:
    """State of the hand, as a client reads it."""

    width: float
    """Distance between the fingers [m]."""
    max_width: float
    """Largest width that homing has found [m]; 0 before homing."""
    is_grasped: bool
    """Whether an object is held."""
    temperature: float
    """[degrees C]."""


class _Phase(Enum):
    HOLD = auto()
    MOVE = auto()
    GRASP = auto()
    HOMING_CLOSE = auto()
    HOMING_OPEN = auto()


class Hand:
    """The hand: one motion at a time; :meth:`take_result` says when it has ended.

    A command that is refused ends with FAIL in the next cycle. No method blocks or raises.

    Args:
        plant: the physics; :meth:`force` reads its fingers.
        config: the robot. A hand that is not homed has a ``max_width`` of 0 and refuses move and
            grasp, as a real one after a power cycle.
    """

    def __init__(self, plant: Plant, config: RobotConfig) -> None:
        self._plant = plant
        self._max_width = config.spec.gripper_width_max if config.hand_is_homed else 0.0
        self._phase = _Phase.HOLD
        self._result: GripperStatus | None = None
        self._target = plant.finger_width
        self._goal = self._target
        self._speed = HOMING_SPEED_M_S
        self._force_limit = MOVE_FORCE_N
        self._still_cycles = 0
        self._accepted = (0.0, 0.0)
        self._is_grasped = False
        self._is_pressing = False

    # Commands -------------------------------------------------------------------------------------

    def homing(self) -> None:
        """Closes and opens the hand, and so finds the largest width; a held object is dropped."""
        self._begin(_Phase.HOMING_CLOSE, -1.0, HOMING_SPEED_M_S, HOMING_FORCE_N)

    def move(self, width: float, speed: float) -> None:
        """Moves to a width.

        Args:
            width: [m], at most ``max_width``.
            speed: rate of the width [m/s].
        """
        if not (self._accepts(width) and speed > 0.0):
            self._result = GripperStatus.FAIL
            return
        self._begin(_Phase.MOVE, min(width, self._max_width), speed, MOVE_FORCE_N)

    def grasp(
        self,
        width: float,
        epsilon_inner: float,
        epsilon_outer: float,
        speed: float,
        force: float,
    ) -> None:
        """Closes until an object or a stop blocks the fingers, and holds with a force.

        Args:
            width: expected size of the object [m].
            epsilon_inner: tolerance below the width [m].
            epsilon_outer: tolerance above the width [m].
            speed: rate of the width [m/s].
            force: of each finger [N].
        """
        epsilons = (epsilon_inner, epsilon_outer)
        if not (
            self._accepts(width)
            and all(0.0 <= epsilon <= self._max_width for epsilon in epsilons)
            and speed > 0.0
            and force > 0.0
        ):
            self._result = GripperStatus.FAIL
            return
        if self._is_grasped:
            self._result = GripperStatus.UNSUCCESSFUL
            return
        self._accepted = (width - epsilon_inner, width + epsilon_outer)
        self._begin(_Phase.GRASP, -1.0, speed, min(force, MAX_FORCE_N))

    def stop(self) -> None:
        """Ends the running motion as aborted, or the force of a grasp."""
        if self._phase is not _Phase.HOLD:
            self._result = GripperStatus.ABORTED
        self._hold(self._plant.finger_width)

    def take_result(self) -> GripperStatus | None:
        """Returns the result of the command that has ended, once."""
        result, self._result = self._result, None
        return result

    @property
    def state(self) -> HandState:
        """The present state."""
        return HandState(self._plant.finger_width, self._max_width, self._is_grasped, TEMPERATURE_C)

    # Time -----------------------------------------------------------------------------------------

    def force(self) -> float:
        """Advances by one cycle; returns the force on the two fingers together [N]."""
        width, rate = self._plant.finger_width, self._plant.finger_speed
        if self._phase is not _Phase.HOLD:
            self._advance(width, rate)
        elif self._is_pressing:
            self._target = width - self._reach
            self._is_grasped &= self._accepted[0] < width < self._accepted[1]
        bound = 2.0 * self._force_limit
        wanted = _STIFFNESS * (self._target - width) / 2.0 - _DAMPING * rate / 2.0
        return max(-bound, min(bound, wanted))

    def _accepts(self, width: float) -> bool:
        """Returns whether a width is possible; a hand that is not homed knows none."""
        return self._max_width > 0.0 and 0.0 <= width <= self._max_width + WIDTH_TOLERANCE_M

    def _begin(self, phase: _Phase, goal: float, speed: float, force: float) -> None:
        self._plant.couple_fingers()
        self._phase, self._goal = phase, goal
        self._speed, self._force_limit = min(speed, MAX_SPEED_M_S), force
        self._target = self._plant.finger_width
        self._still_cycles = 0
        self._is_grasped = self._is_pressing = False

    @property
    def _reach(self) -> float:
        """Distance to a target at which the servo has its largest force [m]."""
        return 4.0 * self._force_limit / _STIFFNESS

    def _advance(self, width: float, rate: float) -> None:
        is_still = abs(rate) < _STILL_SHARE * self._speed
        self._still_cycles = self._still_cycles + 1 if is_still else 0
        if self._phase is _Phase.MOVE and abs(width - self._goal) < _REACHED_M:
            self._end(GripperStatus.SUCCESS, self._goal)
        elif self._still_cycles >= _STALL_CYCLES:
            self._blocked(width)
        elif self._still_cycles >= _PRESS_CYCLES:
            self._target = width + copysign(self._reach, self._goal - width)
        else:
            step = self._speed * CYCLE_S
            self._target += max(-step, min(step, self._goal - self._target))

    def _blocked(self, width: float) -> None:
        """Handles fingers that stand still at their full force."""
        if self._phase is _Phase.HOMING_CLOSE:
            self._begin(_Phase.HOMING_OPEN, 1.0, HOMING_SPEED_M_S, HOMING_FORCE_N)
        elif self._phase is _Phase.HOMING_OPEN:
            self._max_width = width
            self._end(GripperStatus.SUCCESS, width)
        elif self._phase is _Phase.MOVE:
            self._end(GripperStatus.UNSUCCESSFUL, width)
        elif self._accepted[0] < width < self._accepted[1]:
            self._result = GripperStatus.SUCCESS
            self._phase, self._is_grasped, self._is_pressing = _Phase.HOLD, True, True
        else:
            self._end(GripperStatus.UNSUCCESSFUL, width + RELEASE_M)

    def _end(self, result: GripperStatus, width: float) -> None:
        self._result = result
        self._hold(width)

    def _hold(self, width: float) -> None:
        self._phase = _Phase.HOLD
        self._target = width
        self._force_limit = MOVE_FORCE_N
        self._is_grasped = self._is_pressing = False
