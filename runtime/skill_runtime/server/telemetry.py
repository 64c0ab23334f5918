"""Telemetry: one self-contained message made of everything the loop knows."""

from __future__ import annotations

import math

import numpy as np

from skill_proto.arrays import FloatArray
from skill_proto.messages import Headroom, ObjectState, Telemetry, Timing
from skill_runtime.authority.authority import Authority
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.simulated_scene import context_of
from skill_runtime.policy.onnx_policy import PolicyOutput

Numbers = tuple[float | None, ...]

DECIMALS = 6
"""Micrometres and microradians; more would be noise in the message."""


class FiniteEncoder:
    """Turns measured numbers into JSON's, and remembers which were not finite."""

    def __init__(self) -> None:
        self.not_finite: list[str] = []

    def all(self, name: str, values: FloatArray) -> Numbers:
        """Every entry, None where it is not finite."""
        listed: list[float] = values.tolist()
        if math.isfinite(sum(listed)):
            return tuple(round(value, DECIMALS) for value in listed)
        self.not_finite.append(name)
        return tuple(round(value, DECIMALS) if math.isfinite(value) else None for value in listed)

    def maybe(self, name: str, values: FloatArray | None) -> Numbers | None:
        """None for None."""
        return None if values is None else self.all(name, values)

    def one(self, name: str, value: float) -> float | None:
        """A single number."""
        return self.all(name, np.array([value]))[0]


def make_telemetry(
    *, authority: Authority, pilot: ArmController, timing: Timing, now: float, tick: int, seq: int
) -> Telemetry:
    """The state of everything at server time ``now``.

    Built without validation, which the loop has no time for; a test validates its output.
    """
    gather = FiniteEncoder()
    state, output, command = pilot.state, pilot.output, authority.command
    hand_position, hand_velocity = pilot.driver.measured_end_effector(state)
    lease, context = authority.lease, context_of(pilot.arm)
    return Telemetry.model_construct(
        seq=seq,
        time=now,
        tick=tick,
        mode=authority.mode,
        fault=authority.fault_class,
        lease_holder=None if lease is None else lease.holder,
        command=None if command is None else command.kind,
        command_expires=(
            command.expires if command is not None and math.isfinite(command.expires) else None
        ),
        command_seq=authority.seq,
        joint_position=gather.all("joint_position", state.joint_position),
        joint_velocity=gather.all("joint_velocity", state.joint_velocity),
        joint_setpoint=gather.all("joint_setpoint", pilot.driver.setpoint),
        end_effector_position=gather.all("end_effector_position", hand_position),
        end_effector_velocity=gather.all("end_effector_velocity", hand_velocity),
        gripper_width=gather.one("gripper_width", state.gripper_width),
        objects={
            name: ObjectState.model_construct(
                position=gather.all(f"objects.{name}.position", pose.position),
                quaternion=gather.all(f"objects.{name}.quaternion", pose.quaternion),
                age_s=_age(pilot, name, now),
            )
            for name, pose in state.objects.items()
        },
        skill=gather.maybe("skill", None if output is None else output.skill_used[0]),
        goal=tuple(command.vector.tolist()) if command and authority.mode == "goal" else None,
        action=gather.maybe("action", None if output is None else output.action[0]),
        context=gather.maybe(
            "context", None if output is None or output.context is None else output.context[0]
        ),
        context_distance=_distance(output),
        context_estimate=_estimate(pilot, gather),
        scene=None if context is None else dict(context),
        braking=pilot.braking,
        headroom=_headroom(pilot),
        timing=timing,
        counters=dict(authority.counters),
        last_event=authority.last_event,
        not_finite=tuple(gather.not_finite),
    )


def _distance(output: PolicyOutput | None) -> float | None:
    """None while the state that acts is young; a context that is not finite is named itself."""
    if output is None or output.context_distance is None:
        return None
    value = float(output.context_distance[0, 0])
    return round(value, DECIMALS) if math.isfinite(value) else None


def _age(pilot: ArmController, name: str, now: float) -> float | None:
    tracked = name in pilot.tracker.config.objects
    return round(pilot.tracker.age_s(name, now), DECIMALS) if tracked else None


def _headroom(pilot: ArmController) -> Headroom | None:
    found = pilot.governor.headroom()
    if found is None:
        return None
    return Headroom.model_construct(
        joint_position=round(found.joint_position, DECIMALS),
        joint_velocity=round(found.joint_velocity, DECIMALS),
        joint_acceleration=round(found.joint_acceleration, DECIMALS),
        joint_jerk=round(found.joint_jerk, DECIMALS),
        end_effector_speed=round(found.end_effector_speed, DECIMALS),
        workspace=round(found.workspace, DECIMALS),
        table=round(found.table, DECIMALS),
        self_collision=round(found.self_collision, DECIMALS),
    )


def _estimate(pilot: ArmController, gather: FiniteEncoder) -> dict[str, float | None] | None:
    output, context = pilot.output, pilot.manifest.context
    if output is None or output.estimate is None or context is None:
        return None
    values: list[float] = output.estimate[0].tolist()
    return {
        estimate.name: gather.one(f"context_estimate.{estimate.name}", value)
        for estimate, value in zip(context.estimates, values, strict=True)
    }
