"""Evaluations in which each scene has a governor, which checks all of its set-points."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter

import numpy as np

from skill_proto.arrays import Array
from skill_robots.arm import ArmSpec, ArmState, JointTarget
from skill_robots.franka.specs import PANDA
from skill_robots.kinematics import Point
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
from skill_runtime.policy import OnnxPolicy

KINDS = (
    "joint_position",
    "joint_velocity",
    "joint_acceleration",
    "joint_jerk",
    "end_effector_speed",
    "self_collision",
    "table",
    "workspace",
)
"""Kinds of headroom, as in ``Governor.headroom``. The first is in rad and the last three are in m;
the others are shares of a limit."""

PERIOD_S = TabletopConfig().physics_step_s
"""Servo period of the evaluations, and default of skill-serve [s]."""


MARGIN_REASONS: tuple[Intervention, ...] = ("workspace", "table", "self_collision")
"""Reasons of a refusal that concern the place of the arm; also the names of the margins."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A refused set-point."""

    reason: Intervention
    after_s: float
    """Time since the start of the episode [s]."""
    end_effector: Point
    """Position at the set-point before, base frame [m]."""
    margin_m: float | None
    """Least margin of that kind on the braking trajectory, at the servo instants [m]. None if the
    reason has no margin. A positive margin means that the trajectory respects the limit at these
    instants, but by less than the governor's allowance for the time between them."""


@dataclass
class Tally:
    """Statistics of the governors of all scenes."""

    scenes: int = 0
    """Number of episodes; each has its own governor."""
    refused: list[Refusal] = field(default_factory=list[Refusal])
    """At most one refusal per scene; a scene is not checked after it."""
    least: dict[str, float] = field(default_factory=lambda: dict.fromkeys(KINDS, math.inf))
    """Least headroom of all set-points, by kind."""
    longest_stop_s: float = 0.0
    """Duration of the longest verified braking trajectory [s]."""
    seconds: list[float] = field(default_factory=list[float])
    """Duration of each check [s]."""


class RecordingGovernor(Governor):
    """A governor that adds each check to a tally."""

    def __init__(
        self, tally: Tally, spec: ArmSpec, low: Point, high: Point, period_s: float
    ) -> None:
        super().__init__(spec, low, high, period_s)
        self._tally = tally
        tally.scenes += 1

    def reset(self, state: ArmState) -> None:
        """Resets the governor at a state of rest."""
        super().reset(state)
        self._before, self._checks = self.last, 0

    def check(self, target: JointTarget | None, state: ArmState) -> Verdict:
        """Checks a set-point and measures the duration."""
        began = perf_counter()
        verdict = super().check(target, state)
        self._tally.seconds.append(perf_counter() - began)
        self._checks += 1
        if verdict.intervention is not None:
            self._tally.refused.append(self._refusal(verdict.intervention, target))
        else:
            self._record()
        return verdict

    def _refusal(self, reason: Intervention, target: JointTarget | None) -> Refusal:
        margin: float | None = None
        if reason in MARGIN_REASONS and target is not None:
            before = self._before
            now = Motion(before.position, before.velocity, before.acceleration)
            stop = self._planner.plan(*now.then(target.position, self._period_s))
            margins = [self.limits.margins(position) for position in stop.position]
            margin = min(getattr(each, reason) for each in margins)
        return Refusal(
            reason=reason,
            after_s=self._checks * self._period_s,
            end_effector=PANDA.kinematics.forward_point(self._before.position.tolist()),
            margin_m=margin,
        )

    def _record(self) -> None:
        tally, headroom = self._tally, self.headroom()
        assert headroom is not None  # a set-point has just been adopted
        for kind in KINDS:
            tally.least[kind] = min(tally.least[kind], getattr(headroom, kind))
        if self._fail_safe is not None:
            longest_s = len(self._fail_safe.trajectory) * self._period_s
            tally.longest_stop_s = max(tally.longest_stop_s, longest_s)
        self._before = self.last


def audit_all(tally: Tally) -> AuditFactory:
    """Returns a factory of audits that govern each scene of a batch."""
    return partial(SetpointAudit, governed=MAX_SCENES, governor=partial(RecordingGovernor, tally))


def run_tabletop(
    policy: Policy,
    settings: EvaluationSettings,
    tally: Tally,
    on_steps: Callable[[int], object],
) -> None:
    """Runs the tabletop evaluation of `skill-eval` for a policy file or a baseline.

    Raises:
        UnsupportedPolicyError: The policy does not fit the tabletop.
    """
    manifest = policy.manifest if isinstance(policy, OnnxPolicy) else None
    evaluate(policy, manifest, settings, on_steps=on_steps, make_audit=audit_all(tally))


class Shaped:
    """A policy on the MuJoCo twin of the skill-aware benchmark, with the set-points of serving.

    The robot of the benchmark has neither shaper nor governor: each action sets a new joint target
    of its motors. This class also converts each action to the set-points that `skill-serve` would
    send, from the pose of the twin's end effector. The set-points do not move the twin. The gripper
    width is not checked, since the adapter clips it.
    """

    def __init__(self, policy: OnnxPolicy, scenes: MujocoScenes, tally: Tally) -> None:
        self._policy, self._make_audit = policy, audit_all(tally)
        served = PolicyAdapter(PANDA, policy.manifest, PERIOD_S)
        self._actions = served.actions
        self._decoder = ActionDecoder(served.actions, PANDA)
        self._shaper = SetpointShaper(PANDA, PERIOD_S, served.shaping)
        self._base = np.array(served.actions.base_position)
        self._position, self._velocity = scenes.batch.bind("qpos"), scenes.batch.bind("qvel")

    def reset(self, n: int) -> None:
        """Starts ``n`` episodes, with the arms at rest in the initial state of the twin."""
        self._policy.reset(n)
        self._setpoint = Setpoint(self._position[:, :7].copy())
        self._audit = self._make_audit(PANDA, self._actions, PERIOD_S, self._setpoint.position)

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        """Returns the policy's actions ``(n, A)``."""
        action = self._policy.act(observation, skill=skill, goal=goal)
        state = self._setpoint
        end_effectors = end_effector_state(
            PANDA,
            self._position[:, :7],
            self._velocity[:, :7],
            state.position,
            state.velocity,
            self._base,
        )
        joint_goal = self._decoder.displace(action[:, :3], state.position, end_effectors)
        for _ in range(round(1.0 / (CONTROL_RATE_HZ * PERIOD_S))):
            self._shaper.step(state, joint_goal)
            self._audit.check(state.position, state.velocity)
        return action


def run_skill_aware(
    policy: OnnxPolicy, episodes: int, seed: int, tally: Tally, on_steps: Callable[[int], object]
) -> None:
    """Runs `skill-eval --task skill-aware --engine mujoco` with ``episodes`` in each cell."""
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
