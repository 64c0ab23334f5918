"""The skill-aware benchmark: TESAC, CCM, SaTESAC and SaCCM."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skill_proto.manifest import (
    ActionPart,
    Evaluation,
    GoalSpace,
    Plant,
    PolicyManifest,
    Range,
    RecurrentState,
    SkillSpace,
)
from skill_robots.action import ActionConfig, ShaperConfig
from skill_robots.observation import FIELDS, layout, manifest_fields, scales
from skill_robots.panda.limits import PANDA
from skill_robots.tasks import skill_aware
from skill_robots.tasks.skill_aware import EngineMissingError, benchmark, make_scenes
from skill_training.algorithms.context_sac import ContextSac
from skill_training.algorithms.context_sac_config import contrastive_note
from skill_training.calibration import calibrated_context, estimated, hold_out
from skill_training.context_graph import ContextGraph
from skill_training.demonstrations import demonstrate
from skill_training.episode_collect import EpisodeCollector
from skill_training.episodes import EpisodeReplay
from skill_training.errors import ConfigError, NothingToShipError
from skill_training.goal_task import BringToGoal
from skill_training.matmul import exact_matmul
from skill_training.policy_graph import PolicyGraph
from skill_training.recipe import CardNotes, Curve, RunFacts, Scalars
from skill_training.skill_aware_config import METHODS, BenchmarkConfig, BenchmarkSacConfig
from skill_training.skill_aware_policy import evaluation_policy
from skill_training.skill_aware_world import (
    SkillAwareTaskConfig,
    SkillAwareWorld,
    log_truth,
    unseen_cells,
)

TITLES = {
    "tesac": "TESAC (no contrastive term)",
    "ccm": "CCM (InfoNCE over tasks)",
    "satesac": "SaTESAC (SaNCE within a task)",
    "saccm": "SaCCM (SaNCE over tasks)",
}

CURVES = tuple(
    Curve(name=f"eval/success.{split}", title=f"success, {split} cells", top=1.0)
    for split in skill_aware.SPLITS
)

SCENES = 20
"""Scenes of an evaluation, stepped together."""

EVALUATION_SEED = 100
"""Of the starts of evaluations in training; ``skill-eval`` begins at 0."""

CALIBRATION_SCENES = 128
"""Held-out episodes, each in a context of its own, from which distance and estimates are judged."""

CALIBRATION_SEED = 1 << 31
"""Of their contexts and starts; no run can have it."""

LIMITS = """\
- Simulation only, on panda-gym's robot: its arm answers at once and with more force than a Panda's
  joint impedance would, and its solver lets heavy bodies sink into each other by millimetres.
- Friction here is the benchmark's label, the table's Bullet coefficient; the effective cube-table
  coefficient is half of it.
- Heavy cubes on rough tables can neither be lifted nor pushed by this arm; docs/results.md says
  which cells are out of reach for any controller that was tried.
"""


class SkillAwareRecipe:
    """``skill-train satesac|saccm|ccm|tesac``."""

    config_types: Mapping[str, type[BenchmarkSacConfig]] = METHODS
    summaries: Mapping[str, str] = {
        name: f"Train {TITLES[name]} on the skill-aware pick-and-place benchmark."
        for name in METHODS
    }
    curves: Sequence[Curve] = CURVES

    def default_config(self, name: str) -> BenchmarkConfig:
        """What ``skill-train <name>`` runs without flags."""
        return BenchmarkConfig(algorithm=METHODS[name]())  # type: ignore[arg-type]  # one of the union's own

    def check(self, config: BenchmarkConfig) -> None:
        """Tries the engine.

        Raises:
            ConfigError: it is not installed.
        """
        _world(config, config.task, scenes=1, seed=0).close()

    def build_learner(self, config: BenchmarkConfig, device: torch.device) -> BenchmarkLearner:
        """The learner at its start, demonstrations included.

        Raises:
            ConfigError: the engine is not installed.
        """
        return BenchmarkLearner(config, device)

    def shipped(
        self, config: BenchmarkConfig, facts: RunFacts, state: dict[str, Any]
    ) -> tuple[PolicyGraph, PolicyManifest]:
        """The policy in a learner's ``state``, and what its file says about itself.

        Raises:
            NothingToShipError: the policy was told mass and friction, or nothing at all.
            KeyError, RuntimeError: the state does not fit the configuration.
        """
        if config.algorithm.knowledge != "inferred":
            raise NothingToShipError(
                f"a policy that is {config.algorithm.knowledge} mass and friction is a bound to "
                "compare with, and is not exported; its figures are in metrics.jsonl"
            )
        algorithm = build_algorithm(config, torch.device("cpu"))
        algorithm.load_networks(state["algorithm"])
        # Not a configuration that could be trained: nothing is contrasted here.
        single = dataclasses.replace(config.task, scenes_per_task=1)
        world = _world(config, single, scenes=CALIBRATION_SCENES, seed=CALIBRATION_SEED)
        with closing(world), exact_matmul():
            context = calibrated_context(hold_out(algorithm, world))
        hidden, horizon = config.algorithm.encoder.hidden, config.task.episode_steps
        states = tuple(
            RecurrentState(name=name, shape=(hidden,), trained_horizon_steps=horizon)
            for name in ("lstm_h", "lstm_c")
        )
        described = manifest(config, facts)
        return ContextGraph(algorithm, estimated(context)), described.model_copy(
            update={"context": context, "recurrent": states}
        )

    def card_notes(self, config: BenchmarkConfig) -> CardNotes:
        """What the card says beyond the manifest."""
        return CardNotes(
            limits=LIMITS,
            metric_texts=_metric_texts(config),
            sections={"What it learned from": _learned_from(config)},
        )


def build_algorithm(config: BenchmarkConfig, device: torch.device) -> ContextSac:
    """The algorithm at its start."""
    place = layout(skill_aware.OBSERVATION)
    mean, std = _log_spread(config.task)
    return ContextSac(
        config.algorithm,
        BringToGoal(
            place["cube_position"].start,
            place["cube_from_end_effector"].start,
            rest_height=skill_aware.CUBE_REST_HEIGHT_M,
            success_radius=skill_aware.SUCCESS_RADIUS_M,
            success_ends=config.task.success_ends,
        ),
        scale=scales(skill_aware.OBSERVATION).tolist(),
        action_size=skill_aware.ACTION_SIZE,
        truth_mean=mean,
        truth_std=std,
        device=device,
        seed=config.run.seed,
    )


def _log_spread(task: SkillAwareTaskConfig) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of log mass and log friction in training."""
    if task.contexts == "cells":
        cells = np.array([(cell.friction, cell.mass) for cell in skill_aware.TRAIN])
        known = log_truth(*cells.T)
        return known.mean(0).tolist(), known.std(0).tolist()
    ends = log_truth(np.array(task.friction), np.array(task.mass))
    spread = np.maximum((ends[1] - ends[0]) / np.sqrt(12.0), 1e-3)
    return ends.mean(0).tolist(), spread.tolist()


def _world(
    config: BenchmarkConfig, task: SkillAwareTaskConfig, *, scenes: int, seed: int
) -> SkillAwareWorld:
    try:
        return SkillAwareWorld(task, scenes, seed=seed, threads=config.run.threads)
    except EngineMissingError as error:
        raise ConfigError(str(error)) from None


def _metric_texts(config: BenchmarkConfig) -> dict[str, str]:
    engine = {"mujoco": "the MuJoCo twin", "bullet": "PyBullet"}[config.task.engine]
    texts = {
        f"success.{split}": f"success over the {len(cells)} cells of the {split} split, {engine}"
        for split, cells in skill_aware.SPLITS.items()
    }
    texts |= {
        f"at_end.{split}": f"cube at the goal after the last step, {split} split"
        for split in skill_aware.SPLITS
    }
    unseen = [skill_aware.cell_name(cell) for cell in unseen_cells(config.task)]
    texts["success.unseen"] = (
        f"the same over the {len(unseen)} cells outside of training (friction label,mass in kg: "
        f"{'; '.join(unseen)})"
    )
    return texts


def _learned_from(config: BenchmarkConfig) -> str:
    settings, task = config.algorithm, config.task
    contexts = (
        "the six training cells of the benchmark"
        if task.contexts == "cells"
        else (
            f"frictions {task.friction[0]:g} to {task.friction[1]:g} and masses "
            f"{task.mass[0]:g} to {task.mass[1]:g} kg, log-uniform, without the box of frictions "
            f"{task.held_out_friction[0]:g} to {task.held_out_friction[1]:g} and masses "
            f"{task.held_out_mass[0]:g} to {task.held_out_mass[1]:g} kg"
        )
    )
    shown = (
        f"{settings.demonstrations} demonstrations of a scripted controller that is told nothing "
        f"(`skill_robots.tasks.scripted.Switch`), {settings.demonstration_share:.0%} of the "
        f"episodes of a batch, imitated with weight {settings.imitation_weight:g}"
        f"{' where the critic prefers them' if settings.imitation_filter else ''}"
        if settings.demonstrations
        else "No demonstrations"
    )
    after = (
        "where an episode ends" if task.success_ends else "where the cube is to stay till the end"
    )
    return (
        f"Physics: {task.engine}. Contexts, of demonstrations too: {contexts}. Reward: minus the "
        "cube's distance from the goal, minus 0.3 of the hand's from the cube, minus a constant "
        f"per step, and nothing within 5 cm of the goal, {after}. {shown}; "
        f"{settings.hindsight_share:.0%} of the goals in hindsight; entropy coefficient "
        f"at least {settings.entropy_floor:g}. {contrastive_note(settings)}\n"
    )


def manifest(config: BenchmarkConfig, facts: RunFacts) -> PolicyManifest:
    """The manifest, without context and recurrent state."""
    name, area = config.algorithm_name, skill_aware.AREA_M
    cube = FIELDS["cube_position"]
    evaluation = None
    if facts.metrics:
        command = f"{facts.provenance.command} (final evaluation)"
        evaluation = Evaluation(command=command, metrics=dict(facts.metrics))
    return PolicyManifest(
        name=f"{name}_panda",
        algorithm=name,
        description=(
            "Brings a cube to a goal on the table by picking, pushing or tumbling it, whichever "
            f"its weight and the table's friction allow. Trained with {TITLES[name]}."
        ),
        control_rate_hz=skill_aware.CONTROL_RATE_HZ,
        observation=manifest_fields(skill_aware.OBSERVATION),
        action=_actions(),
        skill=SkillSpace(kind="none", size=0),
        goal=GoalSpace(
            field=cube.name,
            components=(0, 1),
            unit=cube.unit,
            frame=cube.frame,
            stop_radius=skill_aware.SUCCESS_RADIUS_M,
            low=(-area, -area),
            high=(area, area),
        ),
        plant=_plant(),
        trained_on=_trained_on(config.task),
        provenance=facts.provenance,
        evaluation=evaluation,
    )


def _actions() -> tuple[ActionPart, ...]:
    return (
        ActionPart(
            name="end_effector_displacement",
            size=3,
            scale=skill_aware.DISPLACEMENT_M,
            unit="m",
            frame="world",
        ),
        ActionPart(
            name="hand_width_displacement",
            size=1,
            scale=skill_aware.HAND_WIDTH_STEP_M,
            unit="m",
            frame="none",
        ),
    )


def _plant() -> Plant:
    action = ActionConfig()
    return Plant(
        robot=PANDA.name,
        task="skill_aware",
        physics_step_s=0.002,
        joint_stiffness=tuple(PANDA.stiffness.tolist()),
        joint_damping=tuple(PANDA.damping.tolist()),
        setpoint_leash_m=action.leash,
        workspace_low_m=action.workspace_low,
        workspace_high_m=action.workspace_high,
        velocity_limit_share=ShaperConfig().limit_share,
    )


def _trained_on(task: SkillAwareTaskConfig) -> dict[str, Range]:
    if task.contexts == "cells":
        cells = [(cell.mass, cell.friction) for cell in skill_aware.TRAIN]
        mass, friction = [(min(values), max(values)) for values in zip(*cells, strict=True)]
    else:
        mass, friction = task.mass, task.friction
    effective = skill_aware.cube_table_friction(np.array(friction)).tolist()
    return {
        "cube_mass": Range(low=mass[0], high=mass[1], unit="kg"),
        "cube_table_friction": Range(low=effective[0], high=effective[1], unit="1"),
    }


class BenchmarkLearner:
    """The benchmark's scenes, demonstrations, replay, algorithm and evaluation."""

    def __init__(self, config: BenchmarkConfig, device: torch.device) -> None:
        run = config.run
        self._config, self._device = config, device
        self.algorithm = build_algorithm(config, device)
        self._replay = EpisodeReplay(run.replay_capacity // config.task.episode_steps, device)
        self._world = _world(config, config.task, scenes=run.n_envs, seed=run.seed)
        self._collector = EpisodeCollector(
            self._world, self.algorithm, self._replay, carried_share=0.0, seed=run.seed
        )

    @property
    def env_steps(self) -> int:
        """Environment steps collected, demonstrations left out."""
        return self._collector.env_steps

    @property
    def steps_per_round(self) -> int:
        """Environment steps that one round adds."""
        return self._collector.steps_per_round

    def collect_round(self) -> None:
        """Runs one episode in every scene and stores it; demonstrations before the first."""
        settings = self._config.algorithm
        if settings.demonstrations and self._replay.demonstrations is None:
            from skill_robots.tasks.scripted import Switch

            episodes = demonstrate(
                self._world,
                Switch(),
                self.algorithm.task,
                episodes=settings.demonstrations,
                hidden=settings.encoder.hidden,
                seed=self._config.run.seed,
                device=self._device,
            )
            self._replay.keep_demonstrations(episodes)
        self._collector.collect_round()

    def update(self) -> dict[str, Tensor]:
        """One gradient step."""
        return self.algorithm.update(self._replay)

    def evaluate_quick(self) -> Scalars:
        """Success by split, a few episodes per cell."""
        return self._evaluate(self._config.run.eval_episodes, cells=False)

    def evaluate_full(self) -> Scalars:
        """Success by split and cell."""
        with exact_matmul():
            return self._evaluate(self._config.run.final_eval_episodes, cells=True)

    def facts(self, scalars: Scalars) -> dict[str, str]:
        """What the progress bar shows."""
        return {
            split: f"{scalars[f'success.{split}']:.2f}"
            for split in skill_aware.SPLITS
            if f"success.{split}" in scalars
        }

    def state_dict(self, *, finished: bool) -> dict[str, Any]:
        """The whole state between two rounds; a finished run needs its replay no more."""
        return {
            "algorithm": self.algorithm.state_dict(),
            "replay": None if finished else self._replay.state_dict(),
            "collector": self._collector.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what :meth:`state_dict` gave."""
        self.algorithm.load_state_dict(state["algorithm"])
        if state["replay"] is not None:
            self._replay.load_state_dict(state["replay"])
        self._collector.load_state_dict(state["collector"])

    def _evaluate(self, episodes: int, *, cells: bool) -> Scalars:
        policy = evaluation_policy(self.algorithm)
        with closing(
            make_scenes(self._config.task.engine, SCENES, self._config.run.threads)
        ) as scenes:
            result = benchmark(policy, scenes, episodes=episodes, seed=EVALUATION_SEED)
        metrics = {f"success.{split}": value for split, value in result.success.items()}
        metrics |= {f"at_end.{split}": value for split, value in result.at_end.items()}
        if cells:
            unseen = [skill_aware.cell_name(cell) for cell in unseen_cells(self._config.task)]
            metrics["success.unseen"] = float(np.mean([result.cells[name] for name in unseen]))
            metrics |= {f"cell.{name}": value for name, value in result.cells.items()}
        return metrics
