"""The goal stage: SAC from a skill actor, with a context encoder, on the tabletop."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from skill_proto.manifest import Context, PolicyManifest, RecurrentState, SkillSpace
from skill_robots.observation import PUSH_OBSERVATION, layout, manifest_fields, scales
from skill_robots.tasks.tabletop.metrics import REST_STEPS
from skill_robots.tasks.tabletop.tabletop import CONTROL_PERIOD_S, Tabletop
from skill_robots.tasks.tabletop.task import TABLETOP
from skill_robots.worlds.tabletop_world import push_action
from skill_training.algorithms.context_sac import ContextSac
from skill_training.algorithms.context_sac_config import Knowledge, encoder_note
from skill_training.device import exact_matmul
from skill_training.errors import NothingToShipError
from skill_training.export.context_graph import ContextFreeGraph, calibrate
from skill_training.export.graph import PolicyGraph
from skill_training.recipes.checks import check_gradient_steps, check_own_world
from skill_training.recipes.context_learner import EpisodeLearner, log_uniform_moments
from skill_training.recipes.goal.config import GoalConfig, GoalSacConfig
from skill_training.recipes.goal.evaluation import (
    AFTER_CONTACT_STEPS,
    CONTEXTS,
    EVALUATION_SEED,
    contact_key,
    evaluate_goals,
    time_key,
)
from skill_training.recipes.goal.start_actor import SkillFile
from skill_training.recipes.goal.task import RestAtGoal
from skill_training.recipes.goal.world import GoalWorld
from skill_training.recipes.manifest_parts import goal_space, plant, trained_on
from skill_training.recipes.recipe import CardNotes, Curve, RunFacts, Scalars

CURVES = (
    Curve(name="eval/trained/by_2400ms", title="at rest by 2.4 s, trained range", top=1.0),
    Curve(name="eval/mu0.06/by_2400ms", title="at rest by 2.4 s, friction .06", top=1.0),
    Curve(name="eval/mu0.1/by_2400ms", title="at rest by 2.4 s, friction .1", top=1.0),
    Curve(name="eval/mu0.4/by_2400ms", title="at rest by 2.4 s, friction .4", top=1.0),
    Curve(name="eval/r2_friction/after_2400ms", title="R² of log friction, 2.4 s", top=1.0),
    Curve(name="eval/r2_mass/after_2400ms", title="R² of log mass, 2.4 s", top=1.0),
)

SHOWN = {
    "rest": "trained/by_2400ms",
    "mu.06": "mu0.06/by_2400ms",
    "mu.1": "mu0.1/by_2400ms",
    "R2mu": "r2_friction/after_2400ms",
    "R2m": "r2_mass/after_2400ms",
}
"""Metrics of the progress bar, by a short name."""

DESCRIPTIONS: dict[Knowledge, str] = {
    "inferred": "Brings a 4 cm cube to rest at a goal on the table. Infers from its own pushes how "
    "the cube moves under them, above all the friction of the table.",
    "told": "Brings a 4 cm cube to rest at a goal on the table, given the true mass and friction.",
    "untold": "Brings a 4 cm cube to rest at a goal on the table at any mass and friction within "
    "the trained ranges, without knowledge of them (context-free).",
}

LIMITS = """\
- Simulation only: the policy has not been run on a real arm.
- One 4 cm cube on a flat table, the gripper closed and pointing down; it pushes, it does not grasp.
- Its behaviour outside the ranges above is not tested.
- Goals end at x = 0.10 m. The end effector does not get behind a cube at the end of its workspace
  (x = 0.15 m), so a cube there is not brought back.
"""

CONTEXT_LIMITS = """\
- The policy adapts to friction. The cube's mass hardly changes the best action.
- The context is inferred from contact: it is unknown before the first push, and a cube that is
  exchanged without contact is identified only after the next push.
"""

CALIBRATION_EPISODES = 256
"""Number of held-out episodes that calibrate the context distance."""


def metric_texts() -> dict[str, str]:
    """Returns a description of each metric of a final evaluation, by name."""
    seconds = {step: f"{step * CONTROL_PERIOD_S:.1f} s" for step in REST_STEPS}
    places = {"trained": "at rest within 3 cm, trained range"} | {
        name: f"at rest, friction {friction[0]:g}, {mass[0]:g} kg"
        for name, (mass, friction) in CONTEXTS.items()
    }
    uses = {"": "", "zeroed_": ", context zeroed", "frozen_": ", context frozen"}
    texts = {
        f"{name}/{use}{time_key(step)}": f"{place}, after {time}{how}"
        for name, place in places.items()
        for use, how in uses.items()
        for step, time in seconds.items()
    }
    return texts | {
        f"r2_{quantity}/{contact_key(delay)}": f"R2 of log {quantity}, "
        f"{delay * CONTROL_PERIOD_S:.1f} s after the first contact, sensors noisy"
        for quantity in ("mass", "friction")
        for delay in AFTER_CONTACT_STEPS
    }


class GoalRecipe:
    """``skill-train goal``."""

    config_types: Mapping[str, type[GoalSacConfig]] = {"goal": GoalSacConfig}
    summaries: Mapping[str, str] = {
        "goal": "Train a skill policy further to bring the cube to rest at a goal while it infers "
        "mass and friction."
    }
    curves: Sequence[Curve] = CURVES

    def default_config(
        self, name: str, world: str | None = None, preset: str | None = None
    ) -> GoalConfig:
        """Returns the configuration of ``skill-train goal`` without flags."""
        check_own_world(name, world, preset)
        return GoalConfig()

    def remarks(self, config: GoalConfig) -> Sequence[str]:
        """Returns no lines."""
        del config
        return ()

    def check(self, config: GoalConfig) -> None:
        """Builds the networks once, to find errors before the run starts.

        Raises:
            ConfigError: the policy file to start from is missing or does not fit, or the run has
                no gradient step.
        """
        check_gradient_steps(config.run, episode_steps=config.task.episode_steps)
        start(build_algorithm(config, torch.device("cpu")), config.algorithm.start_from)

    def build_learner(self, config: GoalConfig, device: torch.device) -> GoalLearner:
        """Returns the learner, which reads its initial policy file before the first round."""
        return GoalLearner(config, device)

    def shipped(
        self, config: GoalConfig, facts: RunFacts, state: dict[str, Any]
    ) -> tuple[PolicyGraph, PolicyManifest]:
        """Returns the policy of a learner's ``state``, and its manifest.

        Raises:
            NothingToShipError: the policy needs the true mass and friction.
            KeyError, RuntimeError: the state does not fit the configuration.
        """
        knowledge = config.algorithm.knowledge
        if knowledge == "told":
            raise NothingToShipError(
                "a policy that is given the true mass and friction cannot be served; it is an "
                "upper bound for comparison. Its metrics are in metrics.jsonl"
            )
        algorithm = build_algorithm(config, torch.device("cpu"))
        algorithm.load_networks(state["algorithm"])
        if knowledge == "untold":
            return ContextFreeGraph(algorithm), manifest(config, facts)
        single = dataclasses.replace(config.task, scenes_per_task=1, context_change_share=0.0)
        graph, context, recurrent = calibrate(
            algorithm,
            GoalWorld(single, CALIBRATION_EPISODES, seed=EVALUATION_SEED + 2),
            beyond_horizon="carry" if config.algorithm.carried_share > 0 else "stagger",
        )
        return graph, manifest(config, facts, context, recurrent)

    def card_notes(self, config: GoalConfig) -> CardNotes:
        """Returns the texts of the card that are not in the manifest."""
        file = config.algorithm.start_from
        initial = "random initial weights" if file is None else f"initial actor from `{file}`"
        return CardNotes(
            limits=LIMITS + (CONTEXT_LIMITS if config.algorithm.knowledge == "inferred" else ""),
            metric_texts=metric_texts(),
            sections={
                "Training data": (
                    f"Soft actor-critic; {initial}. Reward `0.1 exp(-(d / 2.5 cm)²) - 0.1 "
                    f"min(d, 0.4 m) / 0.15 m` for the cube's distance d from the goal; "
                    f"{config.algorithm.hindsight_share:.0%} of the goals are hindsight goals. "
                    "Goals, masses and frictions change within training episodes. "
                    f"{encoder_note(config.algorithm)}\n"
                )
            },
        )


def build_algorithm(config: GoalConfig, device: torch.device) -> ContextSac:
    """Returns the algorithm with randomly initialised networks."""
    mean, std = log_uniform_moments(np.log([config.task.mass, config.task.friction]).T)
    return ContextSac(
        config.algorithm,
        RestAtGoal(torch.eye(2), layout(PUSH_OBSERVATION)["cube_position"].start),
        scale=scales(PUSH_OBSERVATION).tolist(),
        action_size=Tabletop.action_size,
        truth_mean=mean,
        truth_std=std,
        device=device,
        seed=config.run.seed,
    )


def start(algorithm: ContextSac, path: Path | None) -> None:
    """Gives an algorithm the actor of a skill policy, and the rotation from directions to skills.

    If ``path`` is None, the algorithm keeps its random actor.

    Raises:
        ConfigError: the file is missing or does not fit.
    """
    if path is None:
        return
    skills = SkillFile(path, PUSH_OBSERVATION)
    algorithm.task.load_state_dict({"rotation": skills.rotation()})
    skills.start(algorithm.actor)
    algorithm.restart_average()


def manifest(
    config: GoalConfig,
    facts: RunFacts,
    context: Context | None = None,
    recurrent: tuple[RecurrentState, ...] = (),
) -> PolicyManifest:
    """Returns the manifest. A context-free policy has neither context nor recurrent state."""
    return PolicyManifest(
        name="goal_panda",
        algorithm="goal",
        description=DESCRIPTIONS[config.algorithm.knowledge],
        control_rate_hz=Tabletop.control_rate_hz,
        observation=manifest_fields(PUSH_OBSERVATION),
        action=(push_action(),),
        skill=SkillSpace(kind="none", size=0),
        goal=goal_space(),
        recurrent=recurrent,
        context=context,
        plant=plant(TABLETOP.name, physics_step_s=config.task.physics_step_s),
        trained_on=trained_on(config.task),
        provenance=facts.provenance,
        evaluation=facts.evaluation,
    )


class GoalLearner(EpisodeLearner):
    """The goal stage's scenes, replay, algorithm and evaluation."""

    def __init__(self, config: GoalConfig, device: torch.device) -> None:
        run = config.run
        self._config = config
        super().__init__(
            build_algorithm(config, device),
            GoalWorld(config.task, run.n_envs, seed=run.seed, threads=run.threads),
            run,
            carried_share=config.algorithm.carried_share,
        )

    def begin(self) -> None:
        """Copies the initial actor from its policy file. A resumed run has it in its state."""
        start(self.algorithm, self._config.algorithm.start_from)

    def evaluate_quick(self) -> Scalars:
        """Returns rest shares in a few conditions."""
        goals = self._config.run.eval_goals
        return evaluate_goals(self.algorithm, self._config.task, goals=goals, full=False)

    def evaluate_full(self) -> Scalars:
        """Returns rest shares in all conditions, with and without the context."""
        goals = self._config.run.final_eval_goals
        with exact_matmul():
            return evaluate_goals(self.algorithm, self._config.task, goals=goals, full=True)

    def facts(self, scalars: Scalars) -> dict[str, str]:
        """Returns the texts of the progress bar."""
        return {short: f"{scalars[name]:.2f}" for short, name in SHOWN.items() if name in scalars}
