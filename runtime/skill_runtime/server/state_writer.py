"""Writes the state of the server as plain numbers, for telemetry and for the status line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields

from skill_proto.shared_memory.seqlock import Seqlock
from skill_robots.arm import ArmConnection
from skill_robots.motion.governor import INTERVENTIONS, Headroom
from skill_runtime.authority.authority import Authority
from skill_runtime.authority.event_log import COUNTERS
from skill_runtime.channel.state_layout import StateLayout
from skill_runtime.channel.state_record import (
    COMMANDS,
    FAULTS,
    GOAL_STATUSES,
    MODES,
    index_of,
)
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.simulated_scene import context_of
from skill_runtime.policy import PolicyOutput
from skill_runtime.realtime.histogram import LATENCY_BUCKETS
from skill_runtime.realtime.latency import TickPercentiles

GOVERNOR_COUNTERS = ("governor", *(f"governor.{kind}" for kind in INTERVENTIONS))

HEADROOM_PERIOD_S = 0.05
"""Time between two measurements of the headroom, which take longer than the rest of the state [s].
States in between repeat the last one."""

HEADROOM = tuple(field.name for field in fields(Headroom))

CONNECTION = ("success_rate", "missed_setpoints", "lateness_s", "reflexes")
"""The numbers of an :class:`~skill_robots.arm.ArmConnection`; NaN stands for no success rate."""


def make_layout(controller: ArmController) -> StateLayout:
    """Returns the layout of a server's state."""
    manifest, state = controller.manifest, controller.state
    tracked = controller.tracker.config.objects
    scene = context_of(controller.arm)
    context = manifest.context
    return StateLayout(
        dof=controller.arm.spec.dof,
        objects=tuple(dict.fromkeys((*state.objects, *controller.adapter.objects, *tracked))),
        skill=manifest.skill.size,
        goal=manifest.goal_size,
        action=manifest.action_size,
        context=0 if context is None else context.size,
        estimates=() if context is None else tuple(item.name for item in context.estimates),
        scene=() if scene is None else tuple(scene),
        headroom=HEADROOM,
        connection=() if state.connection is None else CONNECTION,
        counters=COUNTERS + GOVERNOR_COUNTERS,
        latency_buckets=LATENCY_BUCKETS,
    )


class StateWriter:
    """Writes the state of one server.

    Args:
        lock: The place of the record.
        layout: Its layout.
        authority: Mode, lease and active command.
        controller: The arm.
    """

    def __init__(
        self,
        lock: Seqlock,
        layout: StateLayout,
        authority: Authority,
        controller: ArmController,
    ) -> None:
        self._lock = lock
        self._layout = layout
        self._authority = authority
        self._controller = controller
        self._headroom: list[float] | None = None
        self._headroom_due = -math.inf

    def write(
        self,
        *,
        now: float,
        tick: int,
        seq: int,
        timing: TickPercentiles,
        latency_counts: Sequence[int],
        overruns: int,
    ) -> None:
        """Writes the state at server time ``now`` [s].

        Args:
            now: Server time [s].
            tick: Number of the tick.
            seq: Number of the publication; the gateway publishes each number once.
            timing: Percentiles of the last second.
            latency_counts: Ticks per bucket of wake-up latency.
            overruns: Skipped ticks.
        """
        authority, controller = self._authority, self._controller
        command, lease = authority.command, authority.lease
        goal, outside = controller.goal_monitor, controller.outside
        integers = {
            "seq": seq,
            "tick": tick,
            "mode": index_of(authority.mode, MODES),
            "fault": index_of(authority.fault_class, FAULTS),
            "command": index_of(None if command is None else command.kind, COMMANDS),
            "command_seq": authority.seq,
            "braking": controller.link.braking,
            "policy_steps": controller.runner.steps,
            "goal_status": index_of(goal.status, GOAL_STATUSES),
            "overruns": overruns,
            "events": authority.events.recorded,
            "outside": -1 if outside is None else int(outside),
        }
        record = self._layout.pack(
            integers,
            latency_counts,
            self._counters(),
            self._blocks(now, timing),
            {
                "lease": "" if lease is None else lease.token,
                "lease_holder": "" if lease is None else lease.holder,
                "last_event": authority.events.last_event,
                "last_reflex": _reflex_text(controller.state.connection),
            },
        )
        self._lock.write(record)

    def _blocks(self, now: float, timing: TickPercentiles) -> dict[str, Sequence[float]]:
        authority, controller = self._authority, self._controller
        state, command = controller.state, authority.command
        position, velocity = controller.measured_end_effector()
        blocks: dict[str, Sequence[float]] = {
            "time": (now,),
            "joint_position": state.joint_position.tolist(),
            "joint_velocity": state.joint_velocity.tolist(),
            "joint_setpoint": controller.setpoint.tolist(),
            "end_effector_position": position.tolist(),
            "end_effector_velocity": velocity.tolist(),
            "gripper_width": (state.gripper_width,),
            "timing": timing,
        }
        if command is not None and math.isfinite(command.expires):
            blocks["command_expires"] = (command.expires,)
        if command is not None and authority.mode == "goal":
            blocks["goal"] = command.vector.tolist()
        if controller.goal_monitor.distance is not None:
            blocks["goal_distance"] = (controller.goal_monitor.distance,)
        for name, pose in state.objects.items():
            if f"{name}.position" in self._layout.blocks:
                blocks[f"{name}.position"] = pose.position.tolist()
                blocks[f"{name}.quaternion"] = pose.quaternion.tolist()
                age = controller.tracker.age_s(name, now)
                if age is not None:
                    blocks[f"{name}.age"] = (age,)
        scene = context_of(controller.arm)
        if scene is not None:
            blocks["scene"] = tuple(scene.values())
        if state.connection is not None and self._layout.connection:
            blocks["connection"] = _connection_numbers(state.connection)
        if now >= self._headroom_due:
            self._headroom_due = now + HEADROOM_PERIOD_S
            headroom = controller.headroom()
            if headroom is not None:
                self._headroom = [getattr(headroom, name) for name in HEADROOM]
        if self._headroom is not None:
            blocks["headroom"] = self._headroom
        if controller.output is not None:
            blocks |= _output_blocks(controller.output)
        return blocks

    def _counters(self) -> Mapping[str, int]:
        counters = self._authority.events.counters
        interventions = self._controller.interventions
        total = sum(interventions.values())
        if not total:
            return counters
        governor = {f"governor.{kind}": count for kind, count in interventions.items()}
        return {**counters, **governor, "governor": total}


def _connection_numbers(connection: ArmConnection) -> tuple[float, ...]:
    """Returns the numbers of :data:`CONNECTION`."""
    rate = math.nan if connection.success_rate is None else connection.success_rate
    return rate, connection.missed_setpoints, connection.lateness_s, connection.reflexes


def _reflex_text(connection: ArmConnection | None) -> str:
    """Returns the robot's names of its newest reflex, separated by blanks."""
    return "" if connection is None else " ".join(connection.last_reflex)


def _output_blocks(output: PolicyOutput) -> dict[str, Sequence[float]]:
    arrays = {
        "skill": output.skill_used,
        "action": output.action,
        "context": output.context,
        "context_distance": output.context_distance,
        "context_estimate": output.estimate,
    }
    return {name: array[0].tolist() for name, array in arrays.items() if array is not None}
