"""Executes one command and returns one reply.

The order is always the same: validate the command, check that its sender may send it now, execute
it, and record it as accepted. A failure of any step raises :class:`Refusal` and changes no state.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from skill_proto.arrays import Array
from skill_proto.messages import (
    Acquire,
    Act,
    Clear,
    Command,
    Goal,
    Granted,
    Hello,
    Hold,
    Message,
    Ok,
    Release,
    Renew,
    Reset,
    Scene,
    ServoJoint,
    ServoPose,
    Skill,
    Track,
    Welcome,
)
from skill_runtime.authority.authority import Authority
from skill_runtime.authority.command import ActiveCommand, CommandHeader
from skill_runtime.authority.modes import Event
from skill_runtime.authority.refusal import Refusal
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.simulated_scene import set_context
from skill_runtime.server.validation import (
    validate_goal,
    validate_gripper_width,
    validate_joints,
    validate_pose,
    validate_skill,
)

log = logging.getLogger(__name__)

Motion = Skill | Goal | ServoJoint | ServoPose


class Dispatcher:
    """Answers every command except ``act``, which the policy service answers in its own thread.

    Args:
        authority: Decides who may command.
        controller: Moves the arm.
        welcome: Builds the reply to ``hello`` from its id and the server time.
    """

    def __init__(
        self,
        authority: Authority,
        controller: ArmController,
        welcome: Callable[[int, float], Welcome],
    ) -> None:
        self._authority = authority
        self._controller = controller
        self._welcome = welcome
        self._manifest = controller.manifest
        self._spec = controller.arm.spec

    def handle(self, message: Command, now: float) -> Message:
        """Executes ``message`` and returns the reply.

        Raises:
            Refusal: The command was refused.
        """
        match message:
            case Hello():
                log.debug("hello from %r", message.client)
                return self._welcome(message.id, now)
            case Acquire():
                lease = self._authority.acquire(message, now)
                return Granted(
                    id=message.id, time=now, lease=lease.token, ttl_s=lease.ttl_s, seq=lease.seq
                )
            case Renew():
                self._authority.renew(message.lease, now)
            case Release():
                self._authority.release(message.lease, now)
            case Skill() | Goal() | ServoJoint() | ServoPose():
                self._start_motion(message, now)
            case Hold():
                self._execute(message, "hold", now)
            case Reset():
                self._execute(message, "reset", now, lambda: self._controller.reset(message.seed))
            case Scene():
                self._change_scene(message, now)
            case Track():
                self._controller.tracker.put(message, now)
            case Clear():
                self._clear(now)
            case Act():
                raise Refusal(
                    "not_supported",
                    "this server has no policy service",
                    "use a server that skill-serve started",
                )
        return Ok(id=message.id, time=now)

    def _start_motion(self, message: Motion, now: float) -> None:
        event, vector = self._validate(message)
        width = validate_gripper_width(message.gripper_width, self._spec)
        header = CommandHeader(
            lease=message.lease,
            seq=message.seq,
            reference_time=message.reference_time,
            valid_for_s=message.valid_for_s,
        )
        command = ActiveCommand(
            kind=message.type,
            vector=vector,
            expires=self._authority.check(header, event, now),
            seq=message.seq,
            gripper_width=width,
            grasp=message.grasp,
        )
        self._authority.accept(header, event, command)

    def _validate(self, message: Motion) -> tuple[Event, Array]:
        match message:
            case Skill():
                return "skill", validate_skill(message, self._manifest)
            case Goal():
                return "goal", validate_goal(message, self._manifest)
            case ServoJoint():
                return "servo", validate_joints(message, self._spec)
            case ServoPose():
                return "servo", validate_pose(message, self._manifest.plant)

    def _execute(
        self,
        message: Hold | Reset,
        event: Event,
        now: float,
        effect: Callable[[], None] | None = None,
    ) -> None:
        header = CommandHeader(
            lease=message.lease, seq=message.seq, reference_time=message.reference_time
        )
        self._authority.check(header, event, now)
        if effect is not None:
            effect()
        self._authority.events.record_event(message.type, f"{message.type}s")
        self._authority.accept(header, event)

    def _change_scene(self, message: Scene, now: float) -> None:
        """Changes the object's mass and friction; the active command and recurrent state stay."""
        header = None
        if (
            message.lease is not None
            and message.seq is not None
            and message.reference_time is not None
        ):
            header = CommandHeader(
                lease=message.lease, seq=message.seq, reference_time=message.reference_time
            )
            self._authority.check(header, None, now)
        set_context(self._controller.arm, message.mass, message.friction)
        self._authority.events.record_event("scene", "scenes")
        if header is not None:
            self._authority.accept(header, None)

    def _clear(self, now: float) -> None:
        kind = self._authority.fault_class
        if kind is not None:
            self._controller.check_at_rest()
        self._authority.clear(now)
        if kind is not None:
            self._controller.recover(kind)
