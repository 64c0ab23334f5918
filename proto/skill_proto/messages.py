"""Every message on the wire, one pydantic model each; docs/protocol.md describes them in prose.

Three families: *commands* (client to server, each answered by one *reply*), the *stop*, and the
*telemetry* that the server publishes. Each is a flat JSON object with its name in ``type``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    TypeAdapter,
    model_validator,
)

from skill_proto.bounds import FRICTION, MASS_KG
from skill_proto.manifest import PolicyManifest

PROTOCOL_VERSION = 1
"""``v`` of every message; a server refuses any other version."""

MAX_ID = 2**53
"""Largest integer that every JSON library represents exactly."""


def _not_a_boolean(value: object) -> object:
    """Refuses ``true`` and ``1.0``, which compare equal to 1.

    Raises:
        ValueError: the value is not an integer.
    """
    if isinstance(value, bool | float):
        raise ValueError("expected an integer")
    return value


Finite = Annotated[float, Field(allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=256)]
Identifier = Annotated[str, Field(min_length=1, max_length=64)]
Vector = Annotated[tuple[Finite, ...], Field(min_length=1, max_length=1024), FailFast()]
Mode = Literal["hold", "skill", "goal", "servo", "stopped", "fault"]
GoalStatus = Literal["approaching", "reached", "no_progress"]
FaultClass = Literal["policy", "arm", "contact", "communication", "tracker", "internal"]


class Message(BaseModel):
    """The fields of every message."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    v: Annotated[Literal[1], BeforeValidator(_not_a_boolean)] = PROTOCOL_VERSION
    id: Annotated[int, Field(ge=0, le=MAX_ID)] = 0
    """Chosen by the sender; the reply repeats it."""


class Inbound(Message):
    """A message to the server."""

    instance: Identifier | None = None
    """The server that is meant, by the ``instance`` of its messages; another server refuses the
    message. None: any server."""


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


class Act(Inbound):
    """Policy service: observations in, actions out, for robots that other programs control.

    ``observation`` [n, O], ``previous_action`` [n, A], ``skill`` [n, Z] and ``goal`` [n, G] follow
    the header as array frames, named in ``arrays`` (see wire.py).
    """

    type: Literal["act"] = "act"
    session: Annotated[str, Field(min_length=1, max_length=64)]
    """Name of the session; the server keeps the recurrent state per session."""
    episode: Annotated[int, Field(ge=0, le=MAX_ID)] | None = None
    """A new number resets the recurrent state. None: the session belongs to this connection, and
    another connection with the same session name has a session of its own. A number: every
    connection that sends the same session name and episode shares one recurrent state."""
    arrays: Annotated[tuple[ArraySpec, ...], Field(max_length=8), FailFast()] = ()


class Stop(Inbound):
    """Accepted on the stop socket only: brings the arm to rest, revokes the lease, and latches."""

    type: Literal["stop"] = "stop"
    reason: Text = ""


class ArraySpec(BaseModel):
    """Describes one raw frame after the header: little-endian, C order."""

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
    """A message of the server; clients ignore fields that a newer server adds."""

    model_config = ConfigDict(extra="ignore")

    instance: str = ""
    """Random name of this run of the server. A client that receives another one than before is
    connected to another server, or the server was started again."""


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
    joint_names: tuple[str, ...] = ()
    joint_position_low: tuple[float, ...] = ()
    """Least joint positions that ``servo_joint`` accepts [rad]."""
    joint_position_high: tuple[float, ...] = ()
    """Largest joint positions that ``servo_joint`` accepts [rad]."""
    gripper_width_max: float = 0.0
    """Largest ``gripper_width`` that a command may have [m]."""
    speed: float = 1.0
    """Share of the arm's velocity limits that the server uses."""
    manifest: PolicyManifest


class Granted(_Outbound):
    """Reply to ``acquire``: the lease."""

    type: Literal["granted"] = "granted"
    time: Finite
    lease: str
    ttl_s: float
    seq: int = 0
    """Commands under this lease must carry a higher ``seq``."""


class Acted(_Outbound):
    """Reply to ``act``; ``action`` [n, A] follows the header as an array frame.

    A policy with an encoder adds ``context`` [n, C] and, if the manifest calibrates them,
    ``context_distance`` [n, 1] and ``estimate`` [n, E]. Distances are omitted while the recurrent
    state of a row is younger than half of the shortest ``trained_horizon_steps``.
    """

    type: Literal["acted"] = "acted"
    time: Finite
    inference_s: float
    steps: int = 0
    """Age of the recurrent state: number of requests that it has seen, this one included. 1 after a
    reset; a client whose own count differs shares the session with another, or it was lost."""
    arrays: tuple[ArraySpec, ...] = ()


ErrorCode = Literal[
    "malformed",
    "unknown_type",
    "wrong_version",
    "wrong_server",
    "too_large",
    "invalid",
    "no_lease",
    "lease_held",
    "stale",
    "out_of_order",
    "not_supported",
    "not_now",
    "session_lost",
    "busy",
    "internal",
]


class Error(_Outbound):
    """The command was refused and had no effect."""

    type: Literal["error"] = "error"
    time: Finite
    code: ErrorCode
    message: str
    """The problem and the expected value."""
    fix: str
    """The remedy."""


Reply = Annotated[Ok | Welcome | Granted | Acted | Error, Field(discriminator="type")]
REPLY: TypeAdapter[Reply] = TypeAdapter(Reply)
"""Reads any reply: ``REPLY.validate_json(frame)``."""


class ObjectState(BaseModel):
    """Pose of an object, world frame."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    position: tuple[float | None, ...]
    """[m]."""
    quaternion: tuple[float | None, ...]
    """w first."""
    age_s: float | None = None
    """Time since a tracker measured the pose [s]; None if the arm itself reports it."""


class Headroom(BaseModel):
    """Margins between the set-point and the governor's limits.

    A negative margin means that the limit is exceeded; the governor then only accepts set-points
    that increase the margin.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    joint_position: float
    """Distance to the end of the range, for the joint nearest to one [rad]."""
    joint_velocity: float
    """Smallest margin of a joint to its velocity bound, as a fraction of its limit."""
    joint_acceleration: float
    """Smallest margin of a joint, as a fraction of its limit."""
    joint_jerk: float
    """Smallest margin of a joint, as a fraction of its limit."""
    end_effector_speed: float
    """Margin as a fraction of the limit."""
    workspace: float
    """Distance from the end effector to the walls of the workspace box [m]."""
    table: float
    """Distance from the lowest point of the arm to the table's limit, capped at about 2 cm [m]."""
    self_collision: float
    """Distance of the two nearest links minus its limit, capped at about 5 cm [m]."""


class Connection(BaseModel):
    """Quality of the connection between the server and a real arm."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    success_rate: float | None
    """Share of the last 100 control commands that the robot received in time; None while it
    reports no such share, as outside of a motion."""
    missed_setpoints: int
    """Set-points since the start that came so late that the driver had begun to brake."""
    lateness_s: float
    """Longest delay of a cycle of the driver in the last second [s]."""
    reflexes: int
    """Number of times that the robot stopped by itself since the start."""
    last_reflex: tuple[str, ...] = ()
    """Reasons of the newest of these stops, by the robot's own names."""


class Timing(BaseModel):
    """Timing of the control loop: percentiles over the last second."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    execution_time_p50_us: float
    execution_time_p99_us: float
    wakeup_latency_p50_us: float
    wakeup_latency_p99_us: float
    overruns: int
    """Servo periods skipped since start because the loop was late."""
    wakeup_latency_le_us: tuple[float, ...] = ()
    """Upper bounds of the buckets of ``wakeup_latency_count`` [us]."""
    wakeup_latency_count: tuple[int, ...] = ()
    """Number of ticks since start whose wake-up latency was at most the bound of the same index
    (cumulative, as in a Prometheus histogram); one more entry counts all ticks."""


class Telemetry(_Outbound):
    """The whole state in one self-contained frame; a subscriber may miss any number of frames.

    A number that is not finite is sent as null, and its name is listed in ``not_finite``.
    """

    type: Literal["telemetry"] = "telemetry"
    seq: int
    """Increases by one with each publication."""
    time: float
    """Server time [s]."""
    tick: int
    mode: Mode
    fault: FaultClass | None = None
    """Class of the fault, in the modes ``fault`` and ``stopped``; ``clear`` ends both."""
    lease_holder: str | None
    command: str | None
    """Type of the active command; 'demo' for the internal demo controller."""
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
    awaited_objects: tuple[str, ...] = ()
    """Objects of which no pose has arrived yet; a policy that observes one of them does not run."""
    skill: tuple[float | None, ...] | None
    goal: tuple[float, ...] | None
    goal_distance: float | None = None
    """Distance of the achieved position from the goal, in the goal's unit; None without a goal, and
    if the object is not observed."""
    goal_status: GoalStatus | None = None
    """``reached`` within ``goal.stop_radius`` of the manifest, ``no_progress`` if the distance has
    not fallen for some time, else ``approaching``; None without a goal."""
    policy_steps: int = 0
    """Number of policy steps since the start; it increases with every new action."""
    action: tuple[float | None, ...] | None
    context: tuple[float | None, ...] | None
    context_distance: float | None = None
    """Mahalanobis distance from the contexts of training; above 1 it is unusual. A large distance
    means that training did not produce this state of the encoder. A small distance does not prove
    that mass and friction lie inside the trained range. None while the active recurrent state is
    younger than half of the shortest ``trained_horizon_steps``."""
    context_estimate: dict[str, float | None] | None = None
    """The encoder's estimates of the object's parameters, by name in ``context.estimates`` of the
    manifest."""
    scene: dict[str, float] | None
    """True mass and friction of the object; None for a real arm."""
    braking: bool = False
    """Whether the governor executes a braking trajectory instead of the command."""
    headroom: Headroom | None = None
    """Margins of the set-point to the governor's limits."""
    timing: Timing
    connection: Connection | None = None
    """None for a simulated arm."""
    counters: dict[str, int]
    """Number of events since start by name, e.g. 'stops' or 'rejected.<code>'; docs/protocol.md
    lists them. They never decrease, so a subscriber that missed messages still sees the events."""
    last_event: str
    """The newest event in words."""
    not_finite: tuple[str, ...] = ()


TELEMETRY: TypeAdapter[Telemetry] = TypeAdapter(Telemetry)
"""Reads telemetry: ``TELEMETRY.validate_json(frame)``."""

Act.model_rebuild()
ANY_MESSAGE: TypeAdapter[Any] = TypeAdapter(
    Annotated[Command | Reply | Stop | Telemetry, Field(discriminator="type")]
)
"""Reads any message; the source of the committed JSON Schema."""
