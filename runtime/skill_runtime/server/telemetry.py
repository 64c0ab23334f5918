"""Makes one self-contained telemetry message from the state of the server."""

from __future__ import annotations

import math

import numpy as np

from skill_proto.arrays import FloatArray
from skill_proto.messages import Headroom, ObjectState, Telemetry, Timing
from skill_runtime.authority.authority import Authority
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.simulated_scene import context_of
from skill_runtime.policy import PolicyOutput

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

    def all(self, name: str, values: FloatArray) -> Numbers:
        """Encodes every entry of an array."""
        listed: list[float] = values.tolist()
        if math.isfinite(sum(listed)):
            return tuple(round(value, DECIMALS) for value in listed)
        self.not_finite.append(name)
        return tuple(round(value, DECIMALS) if math.isfinite(value) else None for value in listed)

    def maybe(self, name: str, values: FloatArray | None) -> Numbers | None:
        """Encodes an array; None stays None."""
        return None if values is None else self.all(name, values)

    def one(self, name: str, value: float) -> float | None:
        """Encodes a single number."""
        return self.all(name, np.array([value]))[0]


def make_telemetry(
    *,
    authority: Authority,
    controller: ArmController,
    timing: Timing,
    now: float,
    tick: int,
    seq: int,
) -> Telemetry:
    """Returns the state of the server at server time ``now``.

    The message is built without validation, which takes too long for the loop; a test validates it.
    """
    encoder = FiniteEncoder()
    state, output, command = controller.state, controller.output, authority.command
    end_effector_position, end_effector_velocity = controller.measured_end_effector()
    lease, context = authority.lease, context_of(controller.arm)
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
        joint_position=encoder.all("joint_position", state.joint_position),
        joint_velocity=encoder.all("joint_velocity", state.joint_velocity),
        joint_setpoint=encoder.all("joint_setpoint", controller.setpoint),
        end_effector_position=encoder.all("end_effector_position", end_effector_position),
        end_effector_velocity=encoder.all("end_effector_velocity", end_effector_velocity),
        gripper_width=encoder.one("gripper_width", state.gripper_width),
        objects={
            name: ObjectState.model_construct(
                position=encoder.all(f"objects.{name}.position", pose.position),
                quaternion=encoder.all(f"objects.{name}.quaternion", pose.quaternion),
                age_s=_rounded(controller.tracker.age_s(name, now)),
            )
            for name, pose in state.objects.items()
        },
        skill=encoder.maybe("skill", None if output is None else output.skill_used[0]),
        goal=tuple(command.vector.tolist()) if command and authority.mode == "goal" else None,
        action=encoder.maybe("action", None if output is None else output.action[0]),
        context=encoder.maybe(
            "context", None if output is None or output.context is None else output.context[0]
        ),
        context_distance=_distance(output),
        context_estimate=_estimate(controller, encoder),
        scene=None if context is None else dict(context),
        braking=controller.link.braking,
        headroom=_headroom(controller),
        timing=timing,
        counters=_counters(authority, controller),
        last_event=authority.events.last_event,
        not_finite=tuple(encoder.not_finite),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DECIMALS)


def _distance(output: PolicyOutput | None) -> float | None:
    """Returns the context distance; None while the recurrent state is young, or if not finite."""
    if output is None or output.context_distance is None:
        return None
    value = float(output.context_distance[0, 0])
    return round(value, DECIMALS) if math.isfinite(value) else None


def _headroom(controller: ArmController) -> Headroom | None:
    """Returns the governor's headroom; the message has the same fields."""
    headroom = controller.headroom()
    if headroom is None:
        return None
    fields: dict[str, float] = vars(headroom)
    rounded = {name: round(value, DECIMALS) for name, value in fields.items()}
    return Headroom.model_construct(None, **rounded)


def _counters(authority: Authority, controller: ArmController) -> dict[str, int]:
    """Returns the counters of events, and the governor's own of its interventions."""
    counters = dict(authority.events.counters)
    interventions = controller.interventions
    total = sum(interventions.values())
    if total:
        counters["governor"] = total
        counters |= {f"governor.{kind}": count for kind, count in interventions.items() if count}
    return counters


def _estimate(controller: ArmController, encoder: FiniteEncoder) -> dict[str, float | None] | None:
    output, context = controller.output, controller.manifest.context
    if output is None or output.estimate is None or context is None:
        return None
    values: list[float] = output.estimate[0].tolist()
    return {
        estimate.name: encoder.one(f"context_estimate.{estimate.name}", value)
        for estimate, value in zip(context.estimates, values, strict=True)
    }
