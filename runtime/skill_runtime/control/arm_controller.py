"""Turns the active command and the measured state into one set-point a tick.

A policy runs at its own rate (``policy_runner``); a ``servo`` target is followed in every tick.
Every set-point is shaped and governed. Every error becomes a fault, in which the arm holds.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_proto.messages import FaultClass, Mode
from skill_robots.arm import (
    Arm,
    ArmCommunicationError,
    ArmError,
    ArmState,
    JointTarget,
    ObjectUnseenError,
    SimulationDivergedError,
)
from skill_robots.motion.governor import Governor, Headroom, Intervention
from skill_robots.motion.limits import MotionLimits
from skill_robots.motion.policy_adapter import PolicyAdapter
from skill_robots.motion.reduced_speed import with_speed
from skill_runtime.authority.command import ActiveCommand
from skill_runtime.authority.modes import LATCHED, POLICY_MODES
from skill_runtime.authority.refusal import Refusal
from skill_runtime.control.arm_link import ArmLink
from skill_runtime.control.fault_points import FaultPoints
from skill_runtime.control.goal_monitor import GoalMonitor, achieved_value
from skill_runtime.control.object_tracker import ObjectTracker
from skill_runtime.control.policy_runner import PolicyRunner, TickPolicy
from skill_runtime.control.recovery import AutomaticRecovery
from skill_runtime.control.report import Fault, UpdateReport
from skill_runtime.control.simulated_scene import reset_scene
from skill_runtime.policy import PolicyOutput
from skill_runtime.policy.outside_monitor import WARNING_PERIOD_S, excursion_text
from skill_runtime.policy.when_outside import WhenOutside
from skill_runtime.realtime.clock import MonotonicClock

log = logging.getLogger(__name__)

POSITION_LOST: frozenset[FaultClass] = frozenset({"arm", "contact", "communication"})
"""Faults after which commanded and measured position may differ."""


class ArmController:
    """Moves one arm.

    Args:
        arm: the arm.
        policy: the policy of the policy modes.
        tracker: object poses that clients report.
        clock: server time [s]; None takes the machine's.
        fault_points: hooks for fault injection.
        speed: share of the arm's velocity limits that set-points may use, in (0, 1].
        when_outside: what happens if the policy leaves its training.

    Attributes:
        arm, tracker, speed: as given.
        adapter: from policy and targets to set-points.
        link: the connection to the arm, and the governor of its set-points.
        runner: runs the policy.
        goal_monitor: distance from the goal, and progress towards it.

    Raises:
        RateMismatchError: the policy's rate does not fit the arm's.
        UnsupportedPolicyError: the policy needs observations or actions that this robot lacks.
        ArmError: the arm cannot be read.
    """

    def __init__(
        self,
        arm: Arm,
        policy: TickPolicy,
        tracker: ObjectTracker | None = None,
        clock: Callable[[], float] | None = None,
        fault_points: FaultPoints | None = None,
        speed: float = 1.0,
        when_outside: WhenOutside = "go-on",
    ) -> None:
        manifest = policy.manifest
        self.arm = arm
        self.speed = speed
        spec = with_speed(arm.spec, speed)
        self.adapter = PolicyAdapter(
            spec, manifest, arm.servo_period_s, follows_width=arm.is_simulated
        )
        self.runner = PolicyRunner(policy, self.adapter, arm.servo_period_s)
        self.tracker = tracker or ObjectTracker()
        self.goal_monitor = GoalMonitor(manifest.goal)
        self._fault_points = fault_points
        low, high = manifest.arm_plant.workspace_low_m, manifest.arm_plant.workspace_high_m
        self.link = ArmLink(
            arm,
            self.tracker,
            clock or MonotonicClock().now,
            self.adapter,
            Governor(spec, low, high, arm.servo_period_s),
            None if fault_points is None else fault_points.setpoint_placed,
        )
        self._followed: ActiveCommand | None = None
        self._recovery = AutomaticRecovery(arm, self.link, self._missing_object)
        self._when_outside: WhenOutside = when_outside
        self._warned_at = -math.inf
        self._faults: list[Fault] = []  # found in this tick
        self._recovered, self._warning = False, ""

    # For telemetry and other readers ------------------------------------------------------------

    @property
    def manifest(self) -> PolicyManifest:
        """The manifest of the policy."""
        return self.runner.policy.manifest

    @property
    def output(self) -> PolicyOutput | None:
        """The last output of the policy; None outside the policy modes, and before its first."""
        return self.runner.output

    @property
    def state(self) -> ArmState:
        """The newest measurement."""
        return self.link.monitor.state

    @property
    def setpoint(self) -> Array:
        """The current joint set-point ``(dof,)`` [rad]."""
        return self.adapter.setpoint

    def measured_end_effector(self) -> tuple[Array, Array]:
        """Returns position [m] and velocity [m/s] ``(3,)`` of the measured end effector."""
        return self.adapter.measured_end_effector(self.state)

    @property
    def limits(self) -> MotionLimits:
        """The limits that the governor enforces."""
        return self.link.governor.limits

    @property
    def interventions(self) -> Mapping[Intervention, int]:
        """Number of set-points that the governor has refused, by reason."""
        return self.link.governor.interventions

    @property
    def outside(self) -> bool | None:
        """Whether the running policy is outside of its training; None while it is unknown."""
        return None if self.output is None else self.runner.outside.outside

    @property
    def awaited_objects(self) -> list[str]:
        """Objects that the policy observes, and of which no tracker has sent a pose yet."""
        return self.tracker.awaited(self.adapter.objects)

    def headroom(self) -> Headroom | None:
        """Returns the distance of the last set-point from its limits; None before the first."""
        return self.link.governor.headroom()

    # The tick -----------------------------------------------------------------------------------

    def update(
        self,
        command: ActiveCommand | None,
        mode: Mode,
        now: float,
        recoverable_fault: FaultClass | None = None,
    ) -> UpdateReport:
        """Runs one servo period: reads the arm, executes the command, writes one set-point.

        An error of the server is a fault of the report like every other.

        Args:
            command: the active command.
            mode: the mode of the arm.
            now: server time [s].
            recoverable_fault: class of the fault in force if it ends with its cause.
        """
        self._faults, self._recovered, self._warning = [], False, ""
        target = self._compute_setpoint(command, mode, now, recoverable_fault)
        intervention = None
        try:
            written = self.link.write(target)
            intervention = written.intervention
            if written.fault is not None:
                self._fault(written.fault)
            if recoverable_fault is not None or self._recovery.requested:
                self._request_recovery(recoverable_fault)
        except Exception as error:  # the faults found so far must reach the authority
            self._internal_fault(error, mode)
        return UpdateReport(
            recovered=self._recovered,
            intervention=intervention,
            warning=self._warning,
            faults=tuple(self._faults),
        )

    def _compute_setpoint(
        self,
        command: ActiveCommand | None,
        mode: Mode,
        now: float,
        recoverable_fault: FaultClass | None,
    ) -> JointTarget | None:
        """Returns the next shaped set-point; None after an error, and the arm brakes."""
        try:
            if not self._read():
                return None
            if self.tracker.hand_due(now):
                self.tracker.note_hand(self.measured_end_effector()[0], now)
            if recoverable_fault is not None and not self._faults:
                self._end_fault(recoverable_fault, now)
            self._execute(None if self._faults else command, mode, now)
            self._monitor_goal(command if mode == "goal" else None, now)
            if self._fault_points is not None:
                self._fault_points.enter("set-point")
            return self.adapter.step()
        except Exception as error:  # an error of the server must leave the arm braking
            self._internal_fault(error, mode)
            return None

    def _read(self) -> bool:
        """Reads the arm, and returns False if its state cannot be used."""
        readable = True
        for fault in self.link.read():
            self._fault(fault)
            readable = readable and fault.kind == "communication"
        return readable

    def _fault(self, fault: Fault) -> None:
        """Ends the command of this tick, and adds a fault to the report."""
        if fault.kind == "contact":
            self.link.lose_sync()  # a robot that has stopped itself follows no set-points
        self._faults.append(fault)
        self._begin(None)
        self.runner.reset()

    def _internal_fault(self, error: Exception, mode: Mode) -> None:
        # The traceback of an error that repeats in every tick is logged once.
        level = logging.DEBUG if mode in LATCHED else logging.ERROR
        log.log(level, "internal error", exc_info=error)
        self._fault(Fault(kind="internal", reason=f"internal error: {error}"))

    # Commands -----------------------------------------------------------------------------------

    def _execute(self, command: ActiveCommand | None, mode: Mode, now: float) -> None:
        """Executes the command, up to the goal of the set-point shaper."""
        if mode not in POLICY_MODES:
            self.runner.pause(self.arm.servo_period_s if mode == "hold" else math.inf)
        if command is not self._followed:
            self._begin(command)
        try:
            if command is not None and mode in POLICY_MODES:
                missing = self._missing_object(now) if self.runner.phase == 0 else None
                if missing is not None:
                    raise ObjectUnseenError(missing)
                self.runner.step(self._observed(now), command.vector, by_goal=mode == "goal")
                if self.runner.take_excursion():
                    self._answer_excursion(now)
            elif command is not None:
                self._follow(command)
        except ArmError as error:
            self._fault(Fault(kind=error.kind, reason=str(error)))
        except Exception as error:  # a policy may raise any exception
            log.debug("fault", exc_info=True)
            self._fault(Fault(kind="policy", reason=f"the policy failed: {error}"))
        self.runner.end_tick()

    def _answer_excursion(self, now: float) -> None:
        """Handles that the policy has left its training."""
        reason = excursion_text(self.runner.outside.level)
        if self._when_outside == "hold":
            self._fault(Fault(kind="outside", reason=reason))
        elif self._when_outside == "warn" and now - self._warned_at >= WARNING_PERIOD_S:
            self._warned_at, self._warning = now, reason

    def _observed(self, now: float) -> ArmState:
        """Returns the state that the policy observes: tracked poses are carried to ``now``."""
        state = self.link.monitor.state
        if self.runner.phase != 0 or not self.tracker.config.objects:
            return state
        return replace(state, objects={**state.objects, **self.tracker.carried(now)})

    def _monitor_goal(self, command: ActiveCommand | None, now: float) -> None:
        goal = None if command is None else command.vector
        space = self.manifest.goal
        achieved = None if goal is None else achieved_value(space, self.state, self.adapter)
        self.goal_monitor.update(goal, achieved, now)

    def _begin(self, command: ActiveCommand | None) -> None:
        """Handles a change of command; None holds the arm."""
        self._followed = command
        if command is None:
            self.adapter.hold(self.state)
            self.adapter.command_gripper(None, grasp=False)
            return
        self.adapter.command_gripper(command.gripper_width, grasp=command.grasp)
        self.runner.start(self.state)

    def _follow(self, command: ActiveCommand) -> None:
        if command.kind == "servo_joint":
            self.adapter.apply_joint_goal(command.vector, self.state)
        else:
            self.adapter.apply_end_effector_goal(command.vector, self.state)

    def _missing_object(self, now: float) -> str | None:
        measured = self.link.monitor.state.objects
        return self.tracker.missing(self.adapter.objects, measured, now)

    # Recovery -----------------------------------------------------------------------------------

    def _end_fault(self, fault: FaultClass, now: float) -> None:
        """Ends the recoverable fault in force if its cause is gone."""
        if self._recovery.has_ended(fault, now):
            self._reset_policy()
            self._recovered = True

    def _request_recovery(self, fault: FaultClass | None) -> None:
        """Asks the arm to recover from the recoverable fault in force.

        Comes after the set-point was written: an arm may report a contact only then, and a contact
        needs ``clear``.
        """
        if any(found.kind != "communication" for found in self._faults):
            return
        try:
            self._recovery.request(fault)
        except ArmError as error:
            self._fault(Fault(kind=error.kind, reason=f"the arm does not recover: {error}"))

    @property
    def at_rest(self) -> bool:
        """Whether the arm is measured at rest, and its set-point is at rest."""
        return self.link.at_rest

    def check_at_rest(self) -> None:
        """Raises Refusal ``not_now`` unless the arm answers, at rest: a fault may be cleared."""
        self.link.check_at_rest()

    def recover(self, kind: FaultClass) -> None:
        """Recovers from a fault that was cleared, at the measured position.

        A simulation that has diverged is reset. A robot may need several ticks to recover, and
        does not answer meanwhile.
        """
        if kind not in POSITION_LOST:
            self._reset_policy()
            return
        try:
            self.arm.recover()
            try:
                self._restart()
            except SimulationDivergedError:
                self.reset()
        except ArmCommunicationError as error:
            log.info("the arm is recovering: %s", error)
            self.link.lose_sync()
        except (ArmError, Refusal) as error:
            log.error("the arm has not recovered: %s", error)  # the next tick reports the fault

    def reset(self, seed: int | None = None) -> None:
        """Resets a simulated scene; arm and objects are at rest afterwards.

        Raises:
            Refusal: ``not_supported``, the arm is real; ``not_now``, it does not answer.
        """
        try:
            reset_scene(self.arm, seed)
            self._restart()
        except ArmError as error:
            fix = "wait until the arm answers, then send it again"
            raise Refusal("not_now", f"the scene cannot be reset: {error}", fix) from None

    def _restart(self) -> None:
        self.link.restart()
        self._reset_policy()

    def _reset_policy(self) -> None:
        self._followed = None
        self.runner.reset()
