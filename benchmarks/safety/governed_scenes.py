"""Evaluations in which every set-point of every scene goes through a governor of that scene."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter

import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec, ArmState, JointTarget
from skill_robots.franka import kinematics
from skill_robots.franka.kinematics import Point
from skill_robots.franka.specs import PANDA
from skill_robots.motion.action import ActionDecoder, end_effector_state
from skill_robots.motion.governor import Governor, Intervention, Verdict
from skill_robots.motion.limits import Motion
from skill_robots.motion.policy_adapter import PolicyAdapter
from skill_robots.motion.setpoint_shaper import Setpoint, SetpointShaper
from skill_robots.tasks.policy import Policy
from skill_robots.tasks.skill_aware.benchmark import CELLS, benchmark
from skill_robots.tasks.skill_aware.mujoco_scenes import MujocoScenes
from skill_robots.tasks.skill_aware.scenes import CONTROL_RATE_HZ, SkillAwareScenes
from skill_robots.tasks.tabletop.rollouts import MAX_SCENES
from skill_robots.tasks.tabletop.setpoint_audit import AuditFactory, SetpointAudit
from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_runtime.evaluation.tabletop import EvaluationSettings, evaluate
from skill_runtime.policy.onnx_policy import OnnxPolicy

KINDS = (
    "joint_position",
    "joint_velocity",
    "joint_acceleration",
    "joint_jerk",
    "end_effector_speed",
    "itself",
    "table",
    "workspace",
)
"""Of headroom: the first in rad, the last three in m, the others the share of a limit that is left;
position, velocity and the last three as ``Governor.headroom`` has them."""

PERIOD_S = TabletopConfig().physics_step_s
"""Servo period of the evaluations, and of skill-serve unless told otherwise [s]."""


ROOMS: dict[Intervention, str] = {
    "workspace": "workspace",
    "table": "table",
    "self_collision": "itself",
}
"""Reasons of a refusal that are about where the arm goes, and their field of ``Room``."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A set-point that was refused."""

    reason: Intervention
    after_s: float
    """Since its episode began [s]."""
    hand: Point
    """Of the last set-point before, base frame [m]."""
    room_m: float | None
    """Least room of that kind on the stop from it, at the servo's instants [m]; None for reasons
    that have none. Above 0 the stop is inside the limit, but by less than the governor allows for
    between the instants that it looks at."""


@dataclass
class Tally:
    """What the governors of all scenes have seen."""

    scenes: int = 0
    """Episodes, each with a governor of its own."""
    refused: list[Refusal] = field(default_factory=list[Refusal])
    """A scene is refused once, and ends there."""
    least: dict[str, float] = field(default_factory=lambda: dict.fromkeys(KINDS, math.inf))
    """Least headroom of any set-point, by kind."""
    longest_stop_s: float = 0.0
    """Of the stops that were kept ready."""
    seconds: list[float] = field(default_factory=list[float])
    """Every check's."""


class Observed(Governor):
    """Tells a tally of everything that it checks."""

    def __init__(
        self, tally: Tally, spec: ArmSpec, low: Point, high: Point, period_s: float
    ) -> None:
        super().__init__(spec, low, high, period_s)
        self._tally = tally
        tally.scenes += 1

    def reset(self, state: ArmState) -> None:
        """As the governor's; the arm has been at rest there."""
        super().reset(state)
        self._before, self._checks = self.last, 0

    def check(self, target: JointTarget | None, state: ArmState) -> Verdict:
        """As the governor's, and by the clock."""
        began = perf_counter()
        verdict = super().check(target, state)
        self._tally.seconds.append(perf_counter() - began)
        self._checks += 1
        if verdict.intervention is not None:
            self._tally.refused.append(self._refusal(verdict.intervention, target))
        else:
            self._note()
        return verdict

    def _refusal(self, reason: Intervention, target: JointTarget | None) -> Refusal:
        room: float | None = None
        if reason in ROOMS and target is not None:
            before = self._before
            now = Motion(before.position, before.velocity, before.acceleration)
            stop = self._planner.plan(*now.then(target.position, self._period_s))
            rooms = [self.limits.room(position) for position in stop.position]
            room = min(getattr(each, ROOMS[reason]) for each in rooms)
        return Refusal(
            reason=reason,
            after_s=self._checks * self._period_s,
            hand=kinematics.forward_point(self._before.position.tolist()),
            room_m=room,
        )

    def _note(self) -> None:
        tally, room = self._tally, self.headroom()
        assert room is not None  # a set-point has just been adopted
        found = (
            room.joint_position,
            room.joint_velocity,
            room.joint_acceleration,
            room.joint_jerk,
            room.end_effector_speed,
            room.self_collision,
            room.table,
            room.workspace,
        )
        for kind, left in zip(KINDS, found, strict=True):
            tally.least[kind] = min(tally.least[kind], left)
        if self._ready is not None:
            longest_s = len(self._ready.way) * self._period_s
            tally.longest_stop_s = max(tally.longest_stop_s, longest_s)
        self._before = self.last


def watch_all(tally: Tally) -> AuditFactory:
    """Governs every scene of a batch."""
    return partial(SetpointAudit, governed=MAX_SCENES, governor=partial(Observed, tally))


def run_tabletop(
    policy: Policy,
    settings: EvaluationSettings,
    tally: Tally,
    on_steps: Callable[[int], object],
) -> None:
    """What `skill-eval` runs on the tabletop, for a policy file or a baseline.

    Raises:
        UnsupportedPolicyError: the policy cannot act there.
    """
    manifest = policy.manifest if isinstance(policy, OnnxPolicy) else None
    evaluate(policy, manifest, settings, on_steps=on_steps, watch=watch_all(tally))


class Shaped:
    """A policy on the twin of the skill-aware benchmark, and the set-points it would be served by.

    The benchmark's robot has no shaper and no governor: its motors are told a new joint target at
    each action. Here each action also becomes set-points as `skill-serve` makes them, from where
    the twin's hand is. They do not move the twin. The hand's width is left out: the driver clips
    it.
    """

    def __init__(self, policy: OnnxPolicy, scenes: MujocoScenes, tally: Tally) -> None:
        self._policy, self._make = policy, watch_all(tally)
        served = PolicyAdapter(PANDA, policy.manifest, PERIOD_S)
        self._actions = served.actions
        self._decoder = ActionDecoder(served.actions, PANDA)
        self._shaper = SetpointShaper(PANDA, PERIOD_S, served.shaping)
        self._base = np.array(served.actions.base_position)
        self._position, self._velocity = scenes.batch.bind("qpos"), scenes.batch.bind("qvel")

    def reset(self, n: int) -> None:
        """Starts ``n`` episodes, the arms at rest where the twin has put them."""
        self._policy.reset(n)
        self._setpoint = Setpoint(self._position[:, :7].copy())
        self._watch = self._make(PANDA, self._actions, PERIOD_S, self._setpoint.position)

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        """``(n, A)``: the policy's."""
        action = self._policy.act(observation, skill=skill, goal=goal)
        state = self._setpoint
        hands = end_effector_state(
            self._position[:, :7], self._velocity[:, :7], state.position, state.velocity, self._base
        )
        aim = self._decoder.displace(action[:, :3], state.position, hands)
        for _ in range(round(1.0 / (CONTROL_RATE_HZ * PERIOD_S))):
            self._shaper.step(state, aim)
            self._watch.check(state.position, state.velocity)
        return action


def run_skill_aware(
    policy: OnnxPolicy, episodes: int, seed: int, tally: Tally, on_steps: Callable[[int], object]
) -> None:
    """What `skill-eval --task skill-aware --engine mujoco` runs, ``episodes`` in every cell."""
    scenes = MujocoScenes(len(CELLS))

    def on_step(stepped: SkillAwareScenes) -> None:
        on_steps(stepped.n)

    try:
        benchmark(
            Shaped(policy, scenes, tally),
            scenes,
            episodes=episodes,
            seed=seed,
            on_step=on_step,
        )
    finally:
        scenes.close()
