"""Every message on the wire, one pydantic model each. docs/protocol.md is the prose version.

Three families: *commands* (client to server, each answered by one *reply*), the *stop*, and the
*telemetry* that the server publishes. All are flat JSON objects told apart by ``type``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from skill_proto.bounds import FRICTION, MASS_KG
from skill_proto.manifest import PolicyManifest

PROTOCOL_VERSION = 1
"""``v`` of every message; a server refuses any other."""

MAX_ID = 2**53
"""Greatest integer that every JSON library carries exactly."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=256)]
Vector = Annotated[tuple[Finite, ...], Field(min_length=1, max_length=1024)]
Mode = Literal["hold", "skill", "goal", "servo", "stopped", "fault"]
FaultClass = Literal["policy", "arm", "contact", "communication", "tracker", "internal"]


class Message(BaseModel):
    """What every message has."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    v: Literal[1] = PROTOCOL_VERSION
    id: Annotated[int, Field(ge=0, le=MAX_ID)] = 0
    """Chosen by the sender; the reply repeats it."""


class Hello(Message):
    """Asks who serves what; the first message of any client."""

    type: Literal["hello"] = "hello"
    client: Text = ""


class Acquire(Message):
    """Asks for the lease: the right to command, held by one client at a time."""

    type: Literal["acquire"] = "acquire"
    holder: Text
    """Name shown to everyone who watches."""
    ttl_s: Annotated[float, Field(ge=0.1, le=60)] = 1.0
    """The lease ends this long after the last renewal [s]."""
    priority: Annotated[int, Field(ge=0, le=9)] = 0
    """A lease of lower priority is taken over, one of the same or a higher is not."""


class _Leased(Message):
    lease: Annotated[str, Field(min_length=1, max_length=64)]
    """Token from the reply to ``acquire``."""


class Renew(_Leased):
    """Heartbeat: keeps the lease for another ``ttl_s``."""

    type: Literal["renew"] = "renew"


class Release(_Leased):
    """Gives the lease back; the arm holds."""

    type: Literal["release"] = "release"


class _Command(_Leased):
    """A command that moves the arm."""

    seq: Annotated[int, Field(ge=0, le=MAX_ID)]
    """Rises with each command of a lease; anything not above the last one is refused."""
    reference_time: Finite
    """Newest server time that the sender has seen [s]."""


class _TimedCommand(_Command):
    valid_for_s: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)]
    """The command ends at ``reference_time + valid_for_s`` on the server's clock [s]."""
    gripper_width: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    """Opening of the hand [m]; None leaves it to the policy, or as it is."""
    grasp: bool = False
    """Close on the object and hold by force."""


class Skill(_TimedCommand):
    """Run the policy with this skill."""

    type: Literal["skill"] = "skill"
    skill: Vector


class Goal(_TimedCommand):
    """Run the policy towards this goal."""

    type: Literal["goal"] = "goal"
    goal: Vector


class ServoJoint(_TimedCommand):
    """Move the joints to these positions through the shaper and the governor."""

    type: Literal["servo_joint"] = "servo_joint"
    joint_position: Vector
    """[rad]."""


class ServoPose(_TimedCommand):
    """Move the end effector to this position, hand pointing down."""

    type: Literal["servo_pose"] = "servo_pose"
    end_effector_position: Annotated[tuple[Finite, Finite, Finite], Field()]
    """World frame [m]."""


class Hold(_Command):
    """Stop moving and hold, powered, under the lease."""

    type: Literal["hold"] = "hold"


class Reset(_Command):
    """Simulated arms: a fresh start of arm and objects."""

    type: Literal["reset"] = "reset"
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None


class Scene(Message):
    """Simulated arms: change the object while serving; None leaves a value as it is.

    Needs no lease: whoever steers goes on. One that has a lease may send it among its commands.
    """

    type: Literal["scene"] = "scene"
    lease: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """Token from the reply to ``acquire``; with it come ``seq`` and ``reference_time``."""
    seq: Annotated[int, Field(ge=0, le=MAX_ID)] | None = None
    """As in any command under the lease."""
    reference_time: Finite | None = None
    """As in any command under the lease [s]."""
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
            raise ValueError("lease, seq and reference_time go together: give all three, or none")
        return self


class Track(Message):
    """Where an object is, as seen from outside: for arms that do not see it by themselves.

    Needs no lease: a tracker is not who steers.
    """

    type: Literal["track"] = "track"
    object: Annotated[str, Field(min_length=1, max_length=64)]
    """Its name, e.g. ``cube``."""
    captured: Finite
    """Server time at which it was there [s]: a ``time`` that you have seen, plus what has passed on
    your own clock since."""
    position: tuple[Finite, Finite, Finite]
    """World frame [m]."""
    quaternion: tuple[Finite, Finite, Finite, Finite] = (1.0, 0.0, 0.0, 0.0)
    """w first; of any length but 0."""
    velocity: tuple[Finite, Finite, Finite] | None = None
    """[m/s]; None leaves it to the server, which takes it from the poses."""
    angular_velocity: tuple[Finite, Finite, Finite] | None = None
    """[rad/s]; None likewise."""


class Clear(Message):
    """Takes back a latched stop or a cleared fault; moving again needs a new lease."""

    type: Literal["clear"] = "clear"


class Act(Message):
    """Policy service: observations in, actions out, for robots that run elsewhere.

    ``observation`` [n, O], ``previous_action`` [n, A], ``skill`` [n, Z] and ``goal`` [n, G] ride
    behind the header as array frames, named in ``arrays`` (see wire.py).
    """

    type: Literal["act"] = "act"
    session: Annotated[str, Field(min_length=1, max_length=64)]
    """Recurrent state is kept per session."""
    episode: Annotated[int, Field(ge=0, le=MAX_ID)] = 0
    """A new number resets the session's recurrent state."""
    arrays: Annotated[tuple[ArraySpec, ...], Field(max_length=8)] = ()


class Stop(Message):
    """On the stop socket only: brings the arm to rest, revokes the lease, latches."""

    type: Literal["stop"] = "stop"
    reason: Text = ""


class ArraySpec(BaseModel):
    """Describes one raw frame behind the header: little-endian, C order."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: Annotated[str, Field(min_length=1, max_length=64)]
    dtype: Literal["float32", "float64"]
    shape: Annotated[tuple[Annotated[int, Field(ge=0, le=65536)], ...], Field(max_length=4)]


Command = Annotated[
    Hello
    | Acquire
    | Renew
    | Release
    | Skill
    | Goal
    | ServoJoint
    | ServoPose
    | Hold
    | Reset
    | Scene
    | Track
    | Clear
    | Act,
    Field(discriminator="type"),
]
COMMAND: TypeAdapter[Command] = TypeAdapter(Command)
"""Reads any command: ``COMMAND.validate_json(frame)``."""


class _Outbound(Message):
    """What a server sends; clients pass over fields that a newer server adds."""

    model_config = ConfigDict(extra="ignore")


class Ok(_Outbound):
    """The command was accepted."""

    type: Literal["ok"] = "ok"
    time: Finite
    """Server time [s], usable as ``reference_time``."""


class Welcome(_Outbound):
    """Reply to ``hello``."""

    type: Literal["welcome"] = "welcome"
    time: Finite
    server: Text
    """Name and version of the server program."""
    robot: Text
    backend: Text
    """'mujoco', 'bullet', 'franka'."""
    simulated: bool
    mode: Mode
    servo_period_s: float
    policy_rate_hz: float
    telemetry_rate_hz: float
    telemetry_address: Text
    stop_address: Text
    lease_holder: Text | None
    manifest: PolicyManifest


class Granted(_Outbound):
    """Reply to ``acquire``."""

    type: Literal["granted"] = "granted"
    time: Finite
    lease: str
    ttl_s: float
    seq: int = 0
    """Commands under this lease must carry a higher ``seq``."""


class Acted(_Outbound):
    """Reply to ``act``; ``action`` rides behind as a frame.

    With an encoder so do ``context`` [n, C] and, where the manifest has what they need,
    ``context_distance`` [n, 1] and ``estimate`` [n, E]. There are no distances while the recurrent
    state of a row is younger than half of the shortest ``trained_horizon_steps``.
    """

    type: Literal["acted"] = "acted"
    time: Finite
    inference_s: float
    arrays: tuple[ArraySpec, ...] = ()


ErrorCode = Literal[
    "malformed",
    "unknown_type",
    "wrong_version",
    "too_large",
    "invalid",
    "no_lease",
    "lease_held",
    "stale",
    "out_of_order",
    "not_supported",
    "not_now",
    "busy",
    "internal",
]


class Error(_Outbound):
    """The command was refused and changed nothing."""

    type: Literal["error"] = "error"
    time: Finite
    code: ErrorCode
    message: str
    """What was wrong and what was expected."""
    fix: str
    """What to do about it."""


Reply = Annotated[Ok | Welcome | Granted | Acted | Error, Field(discriminator="type")]
REPLY: TypeAdapter[Reply] = TypeAdapter(Reply)
"""Reads any reply: ``REPLY.validate_json(frame)``."""


class ObjectState(BaseModel):
    """Where an object is, world frame."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    position: tuple[float | None, ...]
    """[m]."""
    quaternion: tuple[float | None, ...]
    """w first."""
    age_s: float | None = None
    """Time since a tracker saw it there [s]; None where the arm itself reports it, just now."""


class Headroom(BaseModel):
    """How far the set-point is from what the governor does not let it pass.

    Below 0 it is beyond, and may only come back.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    joint_position: float
    """Of the joint nearest to an end of its range [rad]."""
    joint_velocity: float
    """Of the joint nearest to its bound, as a share of its limit."""
    joint_acceleration: float
    """Of the joint nearest to its limit, as a share of that."""
    joint_jerk: float
    """Of the joint nearest to its limit, as a share of that."""
    end_effector_speed: float
    """As a share of its limit."""
    workspace: float
    """From the end effector to the walls of its box [m]."""
    table: float
    """From the lowest point of the arm to the table's limit [m], told while within 2 cm of it."""
    self_collision: float
    """From the nearest two links to the limit between them [m], told while within 5 cm."""


class Timing(BaseModel):
    """How well the loop keeps time; sums over the last second."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    execution_time_p50_us: float
    execution_time_p99_us: float
    wakeup_latency_p50_us: float
    wakeup_latency_p99_us: float
    overruns: int
    """Ticks skipped since start because the loop was whole servo periods late."""


class Telemetry(_Outbound):
    """The state of everything, self-contained, one frame: a watcher may miss any number of them.

    A number that is not finite is sent as null and its name listed in ``not_finite``.
    """

    type: Literal["telemetry"] = "telemetry"
    seq: int
    """Rises by one with each publication."""
    time: float
    """Server time [s]."""
    tick: int
    mode: Mode
    fault: FaultClass | None = None
    """What kind of fault, in the mode ``fault``, or below a stop: ``clear`` takes both back."""
    lease_holder: str | None
    command: str | None
    """Type of the running command, 'show' for the internal show-off controller."""
    command_expires: float | None
    """Server time at which the command ends [s]."""
    command_seq: int
    joint_position: tuple[float | None, ...]
    joint_velocity: tuple[float | None, ...]
    joint_setpoint: tuple[float | None, ...]
    end_effector_position: tuple[float | None, ...]
    end_effector_velocity: tuple[float | None, ...]
    gripper_width: float | None
    objects: dict[str, ObjectState]
    skill: tuple[float | None, ...] | None
    goal: tuple[float, ...] | None
    action: tuple[float | None, ...] | None
    context: tuple[float | None, ...] | None
    context_distance: float | None = None
    """Mahalanobis distance in context space from what training saw; above 1 it is unusual. A large
    one says that the encoder is in a state that training did not produce, a small one does not
    prove that mass and friction lie inside the trained range. None while the state that acts is
    younger than half of the shortest ``trained_horizon_steps``."""
    context_estimate: dict[str, float | None] | None = None
    """What the encoder takes the object for, by name in the manifest's ``context.estimates``."""
    scene: dict[str, float] | None
    """True mass and friction, where the arm is simulated."""
    braking: bool = False
    """Whether the governor follows a stop instead of what was asked for."""
    headroom: Headroom | None = None
    """Of the set-point."""
    timing: Timing
    counters: dict[str, int]
    """Events since start by name, as 'stops' or 'rejected.<code>'; docs/protocol.md lists them.
    They only rise, so a watcher that missed messages still sees that something happened."""
    last_event: str
    """The newest event in words."""
    not_finite: tuple[str, ...] = ()


Act.model_rebuild()
ANY_MESSAGE: TypeAdapter[Any] = TypeAdapter(
    Annotated[Command | Reply | Stop | Telemetry, Field(discriminator="type")]
)
"""Any message at all; the source of the committed JSON Schema."""
