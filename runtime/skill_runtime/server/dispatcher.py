"""Executes one command and returns one reply.

The order is always the same: validate the command, check that its sender may send it now, execute
it, and record it as accepted. A failure of any step raises :class:`Refusal` and changes no state.
"""

from __future__ import annotations

from collections.abc import Callable

from skill_proto.messages import (
    Acquire,
    Clear,
    Goal,
    Granted,
    Hold,
    Inbound,
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
)
from skill_runtime.authority.authority import Authority
from skill_runtime.authority.command import ActiveCommand, CommandHeader
from skill_runtime.authority.modes import POLICY_MODES, Event
from skill_runtime.authority.refusal import Refusal
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.object_tracker import START_REMEDY
from skill_runtime.control.simulated_scene import set_context
from skill_runtime.gateway.validation import CommandValidator

Motion = Skill | Goal | ServoJoint | ServoPose


EVENTS: dict[type[Motion], Event] = {
    Skill: "skill",
    Goal: "goal",
    ServoJoint: "servo",
    ServoPose: "servo",
}


class Dispatcher:
    """Answers every command but ``hello`` and ``act``, which other processes answer.

    Args:
        authority: Decides who may command.
        controller: Moves the arm.
        validator: Checks motion commands. The gateway has done so already; a gateway with a fault
            must not move the arm out of bounds.
        check_clear: Raises Refusal while the arm must stay stopped.
    """

    def __init__(
        self,
        authority: Authority,
        controller: ArmController,
        validator: CommandValidator,
        check_clear: Callable[[], None],
    ) -> None:
        self._authority = authority
        self._controller = controller
        self._validator = validator
        self._check_clear = check_clear

    def handle(self, message: Inbound, now: float) -> Message:
        """Executes ``message`` and returns the reply.

        Raises:
            Refusal: The command was refused.
        """
        match message:
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
            case _:
                raise Refusal(
                    "unknown_type",
                    f"the controller does not execute {type(message).__name__!r}",
                    "see docs/protocol.md",
                )
        return Ok(id=message.id, time=now)

    def _start_motion(self, message: Motion, now: float) -> None:
        event = EVENTS[type(message)]
        vector = self._validator.validate(message)
        header = CommandHeader(
            lease=message.lease,
            seq=message.seq,
            reference_time=message.reference_time,
            valid_for_s=message.valid_for_s,
        )
        command = ActiveCommand(
            kind=message.type,
            vector=vector,
            expires=self._check_motion(header, event, now),
            seq=message.seq,
            gripper_width=message.gripper_width,
            grasp=message.grasp,
        )
        self._authority.accept(header, event, command)

    def _check_motion(self, header: CommandHeader, event: Event, now: float) -> float:
        """Returns the time at which the command would expire.

        Raises:
            Refusal: the sender may not command, or the policy waits for the first pose of an
                object.
        """
        expires = self._authority.check(header, event, now)
        awaited = self._controller.awaited_objects if event in POLICY_MODES else []
        if awaited:
            raise Refusal(
                "not_now",
                f"no pose of {', '.join(map(repr, awaited))} has arrived yet, and the policy "
                "observes it",
                f"{START_REMEDY}; send the command again then",
            )
        return expires

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
        self._check_clear()
        kind = self._authority.fault_class
        if kind is not None:
            self._controller.check_at_rest()
        self._authority.clear(now)
        if kind is not None:
            self._controller.recover(kind)
