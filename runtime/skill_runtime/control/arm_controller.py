"""Pilot: carries out the running command, from mode and measurement to one set-point a tick.

The policy runs at its own rate, every k-th tick from the moment a policy mode is entered; a target
of ``servo`` is followed, shaped and governed at every tick. Whatever goes wrong ends in ``fault``,
in which the arm is held.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

import numpy as np

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
from skill_robots.motion.governor import Governor
from skill_robots.motion.policy_adapter import PolicyAdapter
from skill_robots.objects import CUBE
from skill_runtime.authority.authority import Authority
from skill_runtime.authority.command import ActiveCommand
from skill_runtime.authority.modes import LATCHED, POLICY_MODES
from skill_runtime.authority.refusal import Refusal
from skill_runtime.control.arm_link import RECOVERY_TIME_S, REST_VELOCITY, Reach, Senses
from skill_runtime.control.object_tracker import ObjectTracker
from skill_runtime.control.policy_runner import PolicyRunner, TickPolicy, ticks_per_action
from skill_runtime.control.simulated_scene import scene_of
from skill_runtime.policy.onnx_policy import PolicyOutput
from skill_runtime.realtime.clock import MonotonicClock

log = logging.getLogger(__name__)

PIPELINE_BELOW_S = 2e-3
"""A servo period of no more than this has no room for all that is to be done at times [s]: a policy
step is spread over some. Every policy of ours bears that (a delay of up to 20 ms was drawn in its
training)."""

PIPELINE_DEPTH = 3
"""Over which: it observes, it runs, its action is carried out. A policy whose steps are no farther
apart than this would gain nothing, and does all of it at once."""

POSITION_LOST: frozenset[FaultClass] = frozenset({"arm", "contact", "communication"})
"""Faults in which the arm may be elsewhere than it was told to be."""


class ArmController:
    """Moves one arm as the authority says.

    Attributes:
        arm: the arm.
        driver: from policy to set-points.
        runner: runs the policy.
        braking: whether the governor follows a stop.
        reach: whether set-points reach it. While it is out_of_sync, the set-point is where it is
            measured; unseen, it is sent nothing.
        tracker: objects that are reported from outside.
        senses: what is measured.
        needed_objects: names of those whose poses the policy observes.
        ticks_per_action: servo periods per policy step.
    """

    def __init__(
        self,
        arm: Arm,
        policy: TickPolicy,
        tracker: ObjectTracker | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Takes over ``arm``.

        Args:
            arm: the arm.
            policy: what runs it.
            tracker: knows of objects that are reported from outside.
            clock: server time [s]; None takes the machine's.

        Raises:
            RateMismatchError: the policy's rate does not fit the arm's.
            UnsupportedPolicyError: the policy asks for what this robot does not have.
            ArmError: the arm cannot be read.
        """
        manifest = policy.manifest
        self.arm = arm
        self.runner = PolicyRunner(policy)
        self.ticks_per_action = ticks_per_action(manifest.control_rate_hz, arm.servo_period_s)
        self.driver = PolicyAdapter(arm.spec, manifest, arm.servo_period_s)
        self.governor = Governor(
            arm.spec,
            manifest.plant.workspace_low_m,
            manifest.plant.workspace_high_m,
            arm.servo_period_s,
        )
        self.braking = False
        self.reach = Reach(arm, clock or MonotonicClock().now)
        self.tracker = tracker or ObjectTracker()
        self.senses = Senses(arm, self.tracker)
        self.driver.reset(self.state)
        self.governor.reset(self.state)
        sees_cube = any(CUBE in field.name for field in manifest.observation)
        self.needed_objects: tuple[str, ...] = (CUBE,) if sees_cube else ()
        self._seen = False
        self._followed: ActiveCommand | None = None
        self._phase = 0
        self._pipelined = (
            arm.servo_period_s <= PIPELINE_BELOW_S and self.ticks_per_action > PIPELINE_DEPTH
        )
        self._observed: Array | None = None
        self._action: Array | None = None

    @property
    def manifest(self) -> PolicyManifest:
        """Of the policy."""
        return self.runner.policy.manifest

    @property
    def output(self) -> PolicyOutput | None:
        """What the policy put out last, None outside the policy modes and until it has run."""
        return self.runner.output

    @property
    def state(self) -> ArmState:
        """The newest measurement."""
        return self.senses.state

    def policy_step_pending(self, authority: Authority) -> bool:
        """Whether something of a spread policy step falls into the coming tick, as far as is known.

        Where steps are not spread there is no better tick to wait for.
        """
        begun = self._observed is not None or self._action is not None
        due = begun or self._phase == 0
        return due and self._pipelined and authority.mode in POLICY_MODES

    # The tick -----------------------------------------------------------------------------------

    def step(self, authority: Authority, now: float) -> None:
        """One servo period at server time ``now``: read, decide, shape, govern, command.

        Whatever fails on the way to a set-point, one is sent: of the stop that is ready. Only an
        arm that is out_of_sync and not seen is sent none.
        """
        aim = self._aim(authority, now)
        if self.reach.out_of_sync and not self._seen and not self.arm.lockstep:
            self._say_nothing()
            return
        verdict = self.governor.check(aim, self.state)
        self.braking = verdict.braking
        if verdict.braking:
            self.driver.resume(verdict.target)
        if verdict.intervention is not None and authority.mode not in LATCHED:
            authority.note(f"governor: {verdict.intervention}")
        self._command(authority, verdict.target)

    def _aim(self, authority: Authority, now: float) -> JointTarget | None:
        """The set-point that is wanted; None where something failed that it depends on."""
        try:
            if not self._look(authority):
                return None
            self._recover_by_itself(authority, now)
            self._decide(authority, now)
            return self.driver.step()
        except Exception as error:  # a fault of ours must leave the arm braking
            log.debug("fault", exc_info=True)
            self._fault(authority, f"internal error: {error}", "internal")
            return None

    def _look(self, authority: Authority) -> bool:
        """Reads the arm; False where it cannot be told what it does."""
        self._seen, readable = False, True
        self._check_led(authority)
        try:
            self._seen = self.senses.read()
        except ArmCommunicationError as error:
            self._fault(authority, f"the arm does not answer: {error}", "communication")
            # Once braked, it need not be listening either.
            if not self.arm.lockstep and self._told_to_rest:
                self.reach.out_of_sync = True
        except ArmError as error:
            self._fault(authority, f"the arm cannot be read: {error}", error.kind)
            readable = False
        if self.reach.out_of_sync and self._seen:
            self._stay_here()
        return readable

    def _check_led(self, authority: Authority) -> bool:
        """False where it is found now that the arm was not led on: it rests by itself."""
        alone_s = self.reach.check_timeout()
        if alone_s is None:
            return True
        self.senses.reset_stable_time()
        self._fault(authority, f"the arm had no set-point for {alone_s:.3f} s", "communication")
        return False

    def _say_nothing(self) -> None:
        """What would have been sent was not."""
        self.governor.rollback(at_rest=True)
        self.driver.resume(self.governor.last)
        self.braking = False

    def _command(self, authority: Authority, target: JointTarget) -> None:
        if not self._check_led(authority):  # this tick itself may have taken too long
            self._say_nothing()
            return
        try:
            self.arm.command(target)
            self.reach.on_sent(at_rest=self._seen and self.senses.at_rest)
        except ArmCommunicationError:
            self._rollback()
            if self.reach.timed_out:
                self._fault(authority, "the arm takes no set-point", "communication")
        except ArmError as error:
            self._rollback()
            self._fault(authority, f"the arm refuses to move: {error}", error.kind)

    def _rollback(self) -> None:
        """What has not reached the arm was never said: it goes on from what did.

        An arm that has been out of reach for longer has come to rest by itself, who knows where.
        """
        self.senses.reset_stable_time()
        self.reach.on_lost()
        self.governor.rollback(at_rest=self.reach.out_of_sync)
        self.driver.resume(self.governor.last)

    def _recover_by_itself(self, authority: Authority, now: float) -> None:
        if not authority.may_recover:
            return
        if authority.fault_class == "tracker" and self._unseen(now) is None:
            authority.recover()
        elif authority.fault_class == "communication" and self._answers:
            self._start_anew()
            authority.recover()

    @property
    def _answers(self) -> bool:
        return not self.reach.out_of_sync and self.senses.stable_for_s >= RECOVERY_TIME_S

    def _decide(self, authority: Authority, now: float) -> None:
        command, mode = authority.command, authority.mode
        if mode not in POLICY_MODES:
            self.runner.pause(self.arm.servo_period_s if mode == "hold" else math.inf)
            self._drop_step()
        if command is not self._followed:
            self._begin(command)
        try:
            if command is not None and mode in POLICY_MODES:
                self._step_policy(command, mode, now)
            elif command is not None:
                self._follow(command)
        except ArmError as error:
            self._fault(authority, str(error), error.kind)
        except Exception as error:  # a policy may raise anything; all of it is a fault
            log.debug("fault", exc_info=True)
            self._fault(authority, f"the policy failed: {error}", "policy")
        self._phase = (self._phase + 1) % self.ticks_per_action

    def _begin(self, command: ActiveCommand | None) -> None:
        """Notes a change of command: a new one starts at once, the end of one is a hold."""
        self._followed = command
        if command is None:
            self.driver.hold()
            self.driver.command_gripper(None, grasp=False)
            return
        self.driver.command_gripper(command.gripper_width, grasp=command.grasp)
        if self.output is None and self._observed is None:
            # Nothing ran just now, so there is no rhythm to keep.
            self._phase = 0
            self.runner.resume()

    def _follow(self, command: ActiveCommand) -> None:
        if command.kind == "servo_joint":
            self.driver.apply_joint_goal(command.vector)
        else:
            self.driver.apply_end_effector_goal(command.vector, self.state)

    def _step_policy(self, command: ActiveCommand, mode: Mode, now: float) -> None:
        """What is due of a policy step; at a short period its parts are done a tick each."""
        if self._pipelined:
            self._carry_out()
            self._infer(command, mode)
        if self._phase == 0:
            self._check_objects(now)
            self._observed = self.driver.observation(self.state)
        if not self._pipelined:
            self._infer(command, mode)
            self._carry_out()

    def _infer(self, command: ActiveCommand, mode: Mode) -> None:
        observed, self._observed = self._observed, None
        if observed is not None:
            output = self.runner.run(observed, command.vector, by_goal=mode == "goal")
            self._action = output.action[0]

    def _carry_out(self) -> None:
        action, self._action = self._action, None
        if action is not None:
            self.driver.apply_action(action, self.state)
            self.runner.set_applied(self.driver.done(action))

    def _drop_step(self) -> None:
        self._observed, self._action = None, None

    def _check_objects(self, now: float) -> None:
        unseen = self._unseen(now)
        if unseen is not None:
            raise ObjectUnseenError(unseen)

    def _unseen(self, now: float) -> str | None:
        """Which object that the policy needs is not seen, in words; None where all are."""
        for name in self.needed_objects:
            if name in self.tracker.config.objects:
                late = self.tracker.late(name, now)
                if late is not None:
                    return late
            elif name not in self.state.objects:
                return f"nothing reports the pose of {name!r}"
        return None

    def _fault(self, authority: Authority, reason: str, kind: FaultClass) -> None:
        if kind == "contact":
            self.reach.out_of_sync = True  # an arm that stopped itself follows nobody
        if not authority.at_fault_of(kind):
            log.error("fault: %s", reason)
            authority.fault(reason, kind)
        self._begin(None)
        self.runner.forget()

    # The world ----------------------------------------------------------------------------------

    def reset(self, seed: int | None = None) -> None:
        """A fresh start of a simulated scene, everything at rest.

        Raises:
            Refusal: ``not_supported``, the arm is real; ``not_now``, it does not answer.
        """
        scene = scene_of(self.arm, "reset")
        try:
            self._check_answers()
            scene.reset(seed)
            self._settle()
        except ArmError as error:
            fix = "wait until the arm answers, then send it again"
            raise Refusal("not_now", f"the scene does not come back: {error}", fix) from None

    def _check_answers(self) -> None:
        """Raises where the arm is silent; anything else a fresh start may mend."""
        try:
            self.arm.read()
        except ArmCommunicationError:
            raise
        except ArmError:
            return

    @property
    def at_rest(self) -> bool:
        """Whether the arm was measured at rest, and is told to be."""
        return self.senses.at_rest and self._told_to_rest

    @property
    def _told_to_rest(self) -> bool:
        return float(np.abs(self.driver.setpoint_velocity).max()) <= REST_VELOCITY

    def check_at_rest(self) -> None:
        """A fault is taken back only from an arm at rest.

        Raises:
            Refusal: ``not_now``, it moves or does not answer.
        """
        fix = "send it again in a moment"
        try:
            self.senses.look()
        except ArmCommunicationError as error:
            raise Refusal("not_now", f"the arm does not answer: {error}", fix) from None
        except ArmError:
            return  # what it reports is told as a fault again, if it stays so
        if self.senses.is_silent:
            raise Refusal("not_now", "the state that the arm sends does not change", fix)
        if not self.at_rest:
            raise Refusal("not_now", "the arm still moves", fix)

    def recover(self, kind: FaultClass) -> None:
        """After a fault was cleared: an arm that had let go of its set-points takes them up again.

        A simulation that has diverged is started afresh.
        """
        if kind not in POSITION_LOST:
            self._start_anew()
            return
        try:
            try:
                self._settle()
            except SimulationDivergedError:
                self.reset()
        except (ArmError, Refusal) as error:
            log.error("the arm has not recovered: %s", error)  # the next tick says so as a fault

    def _settle(self) -> None:
        self.senses.restart()
        self._stay_here()
        self.reach.restart()
        self._start_anew()

    def _stay_here(self) -> None:
        """The set-point goes to where the arm was measured, at rest."""
        self.driver.reset(self.state)
        self.governor.reset(self.state)

    def _start_anew(self) -> None:
        self._followed = None
        self._phase = 0
        self._drop_step()
        self.runner.forget()
