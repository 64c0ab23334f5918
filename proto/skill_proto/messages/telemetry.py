"""The state that the server publishes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from skill_proto.messages.base import FaultClass, GoalStatus, Mode, Outbound


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


class Telemetry(Outbound):
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
    outside: bool | None = None
    """Whether the policy is outside of its training: the mean of ``context_distance`` over half a
    trained horizon has exceeded 1, and has not fallen below 0.8 since. None while it is unknown."""
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
