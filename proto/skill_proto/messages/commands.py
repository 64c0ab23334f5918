"""Messages to the server that steer or describe an arm, and the stop."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import FailFast, Field, model_validator

from skill_proto.bounds import FRICTION, MASS_KG
from skill_proto.messages.base import MAX_ID, Finite, Inbound, Text, Vector


class Hello(Inbound):
    """Asks for a description of the server; the first message of any client."""

    type: Literal["hello"] = "hello"
    client: Text = ""


class Acquire(Inbound):
    """Requests the lease: the right to command, held by one client at a time."""

    type: Literal["acquire"] = "acquire"
    holder: Text
    """Name of the holder, published in the telemetry."""
    ttl_s: Annotated[float, Field(ge=0.1, le=60)] = 1.0
    """The lease ends this long after the last renewal [s]."""
    priority: Annotated[int, Field(ge=0, le=9)] = 0
    """A lease of lower priority is taken over; one of the same or a higher priority is not."""


class _Leased(Inbound):
    lease: Annotated[str, Field(min_length=1, max_length=64)]
    """Token from the reply to ``acquire``."""


class Renew(_Leased):
    """Heartbeat: extends the lease by another ``ttl_s``."""

    type: Literal["renew"] = "renew"


class Release(_Leased):
    """Gives the lease back; the arm holds."""

    type: Literal["release"] = "release"


class _Command(_Leased):
    """A command under the lease."""

    seq: Annotated[int, Field(ge=0, le=MAX_ID)]
    """Increases with each command of a lease; a command whose ``seq`` does not is refused."""
    reference_time: Finite
    """Newest server time that the sender has received [s]."""


class _TimedCommand(_Command):
    valid_for_s: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)]
    """The command ends at ``reference_time + valid_for_s`` on the server's clock [s]."""
    gripper_width: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    """Gripper width [m]; None: unchanged, or controlled by the policy."""
    grasp: bool = False
    """Whether the gripper closes on the object and holds it by force."""


class Skill(_TimedCommand):
    """Runs the policy with this skill."""

    type: Literal["skill"] = "skill"
    skill: Annotated[tuple[Finite, ...], Field(max_length=1024), FailFast()] = ()
    """Empty for a policy that takes neither skills nor goals."""


class Goal(_TimedCommand):
    """Runs the policy towards this goal."""

    type: Literal["goal"] = "goal"
    goal: Vector


class ServoJoint(_TimedCommand):
    """Moves the joints to these positions, through the set-point shaper and the governor."""

    type: Literal["servo_joint"] = "servo_joint"
    joint_position: Vector
    """[rad]."""


class ServoPose(_TimedCommand):
    """Moves the end effector to this position, gripper pointing down."""

    type: Literal["servo_pose"] = "servo_pose"
    end_effector_position: tuple[Finite, Finite, Finite]
    """World frame [m]."""


class Hold(_Command):
    """Brings the arm to rest and holds it, powered; the lease stays in force."""

    type: Literal["hold"] = "hold"


class Reset(_Command):
    """Simulated arms: starts a new episode, with new positions of arm and objects."""

    type: Literal["reset"] = "reset"
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None


class Scene(Inbound):
    """Simulated arms: changes the object's parameters; None leaves a value unchanged.

    Needs no lease and interrupts no command. The holder of the lease may send it in the sequence of
    its commands, with ``lease``, ``seq`` and ``reference_time``.
    """

    type: Literal["scene"] = "scene"
    lease: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """Token from the reply to ``acquire``; requires ``seq`` and ``reference_time``."""
    seq: Annotated[int, Field(ge=0, le=MAX_ID)] | None = None
    """Sequence number, as in any command under the lease."""
    reference_time: Finite | None = None
    """Newest server time received, as in any command under the lease [s]."""
    mass: Annotated[float, Field(ge=MASS_KG[0], le=MASS_KG[1], allow_inf_nan=False)] | None = None
    """[kg]."""
    friction: (
        Annotated[float, Field(ge=FRICTION[0], le=FRICTION[1], allow_inf_nan=False)] | None
    ) = None
    """Effective object-table coefficient."""

    @model_validator(mode="after")
    def _lease_whole_or_absent(self) -> Self:
        given = [value is not None for value in (self.lease, self.seq, self.reference_time)]
        if any(given) and not all(given):
            raise ValueError("lease, seq and reference_time go together: give all or omit all")
        return self


class Track(Inbound):
    """Pose of an object, measured by an external tracker; needs no lease."""

    type: Literal["track"] = "track"
    object: Annotated[str, Field(min_length=1, max_length=64)]
    """Name of the object, e.g. ``cube``."""
    captured: Finite
    """Server time of the measurement [s]: the ``time`` of a received message plus the time that has
    passed since on the sender's clock."""
    position: tuple[Finite, Finite, Finite]
    """World frame [m]."""
    quaternion: tuple[Finite, Finite, Finite, Finite] = (1.0, 0.0, 0.0, 0.0)
    """w first; any norm but 0."""
    velocity: tuple[Finite, Finite, Finite] | None = None
    """[m/s]; None: the server computes it from successive poses."""
    angular_velocity: tuple[Finite, Finite, Finite] | None = None
    """[rad/s]; None: the server computes it from successive poses."""


class Clear(Inbound):
    """Ends a stop or a fault; the arm holds, and motion needs a new lease."""

    type: Literal["clear"] = "clear"


class Stop(Inbound):
    """Accepted on the stop socket only: brings the arm to rest, revokes the lease, and latches."""

    type: Literal["stop"] = "stop"
    reason: Text = ""
