"""Telemetry messages from the controller's state records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from skill_proto.messages import Connection, Headroom, ObjectState, Telemetry, Timing
from skill_runtime.channel.channel import Word
from skill_runtime.channel.state_layout import State, StateLayout
from skill_runtime.channel.state_record import (
    COMMANDS,
    FAULTS,
    GOAL_STATUSES,
    MODES,
    value_at,
)
from skill_runtime.realtime.histogram import LATENCY_BOUNDS_US

Numbers = tuple[float | None, ...]

DECIMALS = 6
"""Resolution of micrometres and microradians."""


class FiniteEncoder:
    """Rounds measured numbers for JSON; numbers that are not finite become None.

    Attributes:
        not_finite: names of the fields with such numbers.
    """

    def __init__(self) -> None:
        self.not_finite: list[str] = []

    def all(self, name: str, values: Sequence[float]) -> Numbers:
        """Encodes every number of a field."""
        if math.isfinite(sum(values)):
            return tuple([round(value, DECIMALS) for value in values])
        self.not_finite.append(name)
        return tuple(round(value, DECIMALS) if math.isfinite(value) else None for value in values)

    def maybe(self, name: str, values: Sequence[float] | None) -> Numbers | None:
        """Encodes a field that may be absent."""
        return None if values is None else self.all(name, values)

    def one(self, name: str, value: float) -> float | None:
        """Encodes a single number."""
        return self.all(name, (value,))[0]


def restarts(words: Sequence[int]) -> dict[str, int]:
    """Returns how often each process was started again, by the name of its counter."""
    starts = {
        "restarts.gateway": words[Word.GATEWAY_STARTS],
        "restarts.stop_listener": words[Word.LISTENER_STARTS],
        "restarts.policy_service": words[Word.SERVICE_STARTS],
    }
    return {name: count - 1 for name, count in starts.items() if count > 1}


def make_telemetry(
    state: State,
    layout: StateLayout,
    *,
    instance: str = "",
    counters: Mapping[str, int] | None = None,
    last_event: str = "",
) -> Telemetry:
    """Returns the telemetry of a state.

    The message is built without validation, which takes time at every publication; a test validates
    it.

    Args:
        state: The state.
        layout: Its layout.
        instance: Name of this run of the server.
        counters: Events that other processes have counted; they are added to those of the state.
        last_event: Replaces that of the state if not empty.
    """
    integers, blocks, encoder = state.integers, state.blocks, FiniteEncoder()
    mode = MODES[integers["mode"]]

    def measured(name: str) -> Numbers:
        return encoder.all(name, blocks[name])

    expires, time_s = state.number("command_expires"), blocks["time"][0]
    return Telemetry.model_construct(
        instance=instance,
        seq=integers["seq"],
        time=time_s,
        tick=integers["tick"],
        mode=mode,
        fault=value_at(integers["fault"], FAULTS),
        lease_holder=state.texts["lease_holder"] or None,
        command=value_at(integers["command"], COMMANDS),
        command_expires=expires,
        command_seq=integers["command_seq"],
        joint_position=measured("joint_position"),
        joint_velocity=measured("joint_velocity"),
        joint_setpoint=measured("joint_setpoint"),
        end_effector_position=measured("end_effector_position"),
        end_effector_velocity=measured("end_effector_velocity"),
        gripper_width=encoder.one("gripper_width", blocks["gripper_width"][0]),
        objects=_objects(state, layout, encoder),
        awaited_objects=tuple(name for name in layout.objects if f"{name}.position" not in blocks),
        skill=encoder.maybe("skill", blocks.get("skill")),
        goal=blocks.get("goal"),
        goal_distance=_rounded(state.number("goal_distance")),
        goal_status=value_at(integers["goal_status"], GOAL_STATUSES),
        policy_steps=integers["policy_steps"],
        action=encoder.maybe("action", blocks.get("action")),
        context=encoder.maybe("context", blocks.get("context")),
        context_distance=_finite_or_none(state.number("context_distance")),
        outside=None if integers["outside"] < 0 else bool(integers["outside"]),
        context_estimate=_named(state, "context_estimate", layout.estimates, encoder),
        scene=_scene(state, layout),
        braking=bool(integers["braking"]),
        headroom=_headroom(state, layout),
        timing=_timing(state),
        connection=_connection(state),
        counters=_counters(state, counters or {}),
        last_event=last_event or state.texts["last_event"],
        not_finite=tuple(encoder.not_finite),
    )


def _objects(state: State, layout: StateLayout, encoder: FiniteEncoder) -> dict[str, ObjectState]:
    objects: dict[str, ObjectState] = {}
    for name in layout.objects:
        position = state.blocks.get(f"{name}.position")
        if position is not None:
            quaternion = state.blocks[f"{name}.quaternion"]
            objects[name] = ObjectState.model_construct(
                position=encoder.all(f"objects.{name}.position", position),
                quaternion=encoder.all(f"objects.{name}.quaternion", quaternion),
                age_s=_rounded(state.number(f"{name}.age")),
            )
    return objects


def _named(
    state: State, block: str, names: tuple[str, ...], encoder: FiniteEncoder
) -> dict[str, float | None] | None:
    values = state.blocks.get(block)
    if values is None:
        return None
    return {
        name: encoder.one(f"{block}.{name}", value)
        for name, value in zip(names, values, strict=True)
    }


def _scene(state: State, layout: StateLayout) -> dict[str, float] | None:
    values = state.blocks.get("scene")
    return None if values is None else dict(zip(layout.scene, values, strict=True))


def _headroom(state: State, layout: StateLayout) -> Headroom | None:
    """Returns the governor's headroom; the message has the same fields."""
    values = state.blocks.get("headroom")
    if values is None:
        return None
    rounded = [round(value, DECIMALS) for value in values]
    return Headroom.model_construct(None, **dict(zip(layout.headroom, rounded, strict=True)))


def _connection(state: State) -> Connection | None:
    values = state.blocks.get("connection")
    if values is None:
        return None
    success_rate, missed_setpoints, lateness_s, reflexes = values
    return Connection.model_construct(
        success_rate=_finite_or_none(success_rate),
        missed_setpoints=int(missed_setpoints),
        lateness_s=round(lateness_s, DECIMALS),
        reflexes=int(reflexes),
        last_reflex=tuple(state.texts["last_reflex"].split()),
    )


def _timing(state: State) -> Timing:
    execution_p50, execution_p99, wakeup_p50, wakeup_p99 = state.blocks["timing"]
    return Timing.model_construct(
        execution_time_p50_us=execution_p50,
        execution_time_p99_us=execution_p99,
        wakeup_latency_p50_us=wakeup_p50,
        wakeup_latency_p99_us=wakeup_p99,
        overruns=state.integers["overruns"],
        wakeup_latency_le_us=LATENCY_BOUNDS_US,
        wakeup_latency_count=state.latency_counts,
    )


def _counters(state: State, others: Mapping[str, int]) -> dict[str, int]:
    counters = {name: count for name, count in state.counters.items() if count}
    for name, count in others.items():
        if count:
            counters[name] = counters.get(name, 0) + count
    rejected = sum(count for name, count in counters.items() if name.startswith("rejected."))
    return counters | {"rejected": rejected} if rejected else counters


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DECIMALS)


def _finite_or_none(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, DECIMALS)
