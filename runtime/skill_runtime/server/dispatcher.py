"""Dispatch: one command in, one reply out.

The order is always the same: read what the command asks for, check that its sender may ask it
now, carry it out, and only then note it as accepted. Whatever fails on the way is a
:class:`Refusal` and has changed nothing.
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
from skill_runtime.server import validation as content

log = logging.getLogger(__name__)

Motion = Skill | Goal | ServoJoint | ServoPose


class Dispatcher:
    """Answers every command but ``act``, which has a thread of its own (service.py).

    Args:
        authority: who may command.
        pilot: what moves.
        welcome: builds the reply to ``hello`` from its id and the server time.
    """

    def __init__(
        self, authority: Authority, pilot: ArmController, welcome: Callable[[int, float], Welcome]
    ) -> None:
        self._authority = authority
        self._pilot = pilot
        self._welcome = welcome

    def handle(self, message: Command, now: float) -> Message:
        """The reply to ``message``.

        Raises:
            Refusal: it was refused.
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
                self._move(message, now)
            case Hold():
                self._do(message, "hold", now)
            case Reset():
                self._do(message, "reset", now, lambda: self._pilot.reset(message.seed))
            case Scene():
                self._change_scene(message, now)
            case Track():
                self._pilot.tracker.put(message, now)
            case Clear():
                self._clear(now)
            case Act():
                raise Refusal("not_supported", "this server has no policy service", "start one")
        return Ok(id=message.id, time=now)

    def _move(self, message: Motion, now: float) -> None:
        event, vector = self._read(message)
        width = content.gripper_width(message.gripper_width, self._pilot.arm.spec)
        order = CommandHeader(
            lease=message.lease,
            seq=message.seq,
            reference_time=message.reference_time,
            valid_for_s=message.valid_for_s,
        )
        command = ActiveCommand(
            kind=message.type,
            vector=vector,
            expires=self._authority.check(order, event, now),
            seq=message.seq,
            gripper_width=width,
            grasp=message.grasp,
        )
        self._authority.accept(order, event, command)

    def _read(self, message: Motion) -> tuple[Event, Array]:
        manifest = self._pilot.manifest
        match message:
            case Skill():
                return "skill", content.skill(message, manifest)
            case Goal():
                return "goal", content.goal(message, manifest)
            case ServoJoint():
                return "servo", content.joints(message, self._pilot.arm.spec)
            case ServoPose():
                return "servo", content.pose(message, manifest.plant)

    def _do(
        self,
        message: Hold | Reset,
        event: Event,
        now: float,
        effect: Callable[[], None] | None = None,
    ) -> None:
        order = CommandHeader(
            lease=message.lease, seq=message.seq, reference_time=message.reference_time
        )
        self._authority.check(order, event, now)
        if effect is not None:
            effect()
        self._authority.note(message.type, f"{message.type}s")
        self._authority.accept(order, event)

    def _change_scene(self, message: Scene, now: float) -> None:
        """Changes the object; what runs goes on, whoever commands it, with what it remembers."""
        order = None
        if (
            message.lease is not None
            and message.seq is not None
            and message.reference_time is not None
        ):
            order = CommandHeader(
                lease=message.lease, seq=message.seq, reference_time=message.reference_time
            )
            self._authority.check(order, None, now)
        set_context(self._pilot.arm, message.mass, message.friction)
        self._authority.note("scene", "scenes")
        if order is not None:
            self._authority.accept(order, None)

    def _clear(self, now: float) -> None:
        kind = self._authority.fault_class
        if kind is not None:
            self._pilot.check_at_rest()
        self._authority.clear(now)
        if kind is not None:
            self._pilot.recover(kind)
