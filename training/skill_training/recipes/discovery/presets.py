"""Presets: rows of settings under a name, for ``skill-train csf --preset paper-ant``.

The rows of the papers are those of their public code: seohongpark/METRA at e08e762 (``README.md``,
``tests/main.py``) and Princeton-RL/contrastive-successor-features at c6b86e5
(``scripts/pretrain``, ``run/train.py``). A row names its world, and every flag changes a copy of
it. :func:`deviations` lists each difference from the paper that remains.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from skill_robots.tasks.tabletop.tabletop import TabletopConfig
from skill_robots.worlds.mujoco_world import BodyConfig, find_body
from skill_robots.worlds.registry import TABLETOP
from skill_training.algorithms.baselines.misl import MislConfig
from skill_training.algorithms.csf import CsfConfig
from skill_training.algorithms.metra import MetraConfig
from skill_training.config import differences
from skill_training.errors import ConfigError
from skill_training.nets.representation import RepresentationConfig
from skill_training.recipes.discovery.config import (
    ONE_HOT_SKILLS,
    SkillAlgorithmConfig,
    SkillConfig,
    SkillRunSettings,
    default_skill_config,
)
from skill_training.recipes.discovery.inputs import UNACTUATED

WIDE = (1024, 1024)
"""Hidden layers of every network of the papers."""

PAPER_PHI = RepresentationConfig(
    inputs=("*",), input_scale="typical", form="mlp", size=2, hidden=WIDE, learning_rate=1e-4
)
CSF_STEPS = 64_000_000
"""40,000 rounds of 8 x 200 steps, whose checkpoints CSF's authors use for hierarchical control.
Their code itself ends after 1,000,000 rounds."""

METRA_STEPS = 10_000_000
"""The end of the axis of METRA's figure for Ant and HalfCheetah, about."""

PAPER_RUN = SkillRunSettings(
    env_steps=CSF_STEPS,
    n_envs=8,
    env_steps_per_update=32,  # 50 gradient steps for 8 episodes of 200 steps
    warmup_steps=10_000,
    replay_capacity=1_000_000,
    matmul="float32",
    normalization="published",
    final_eval_goals=50,
)

BOOKKEEPING = (
    "run.seed",
    "run.device",
    "run.threads",
    "run.log_interval",
    "run.eval_interval",
    "run.checkpoint_interval",
)
"""Settings that are no part of a paper's experiment."""

EVERYWHERE = (
    "hidden layers of the actor with tanh -> with ReLU",
    "initial weights of Xavier, a tenth of them in the actor's last layer, biases 0 -> torch's",
    "log standard deviation of actions in [ln 1e-6, 2] -> in [-5, 2]",
    "actions of the untrained actor in the first 10,000 steps -> uniform random actions",
    "mujoco-py, on MuJoCo 2.1 -> MuJoCo 4, all scenes as one batch",
)
DRAWN = "skills of an evaluation drawn from the prior -> evenly spaced"
GOALS = (
    "goals with sampled actions, up to the last step -> with the mode, and no action within a "
    "third of the goal's radius"
)
METRA_CODE = (
    "constraint on the mean of phi's squared entries -> on their sum, as in the paper and in CSF's "
    "code",
    "terminal at the time limit -> none, as in CSF's code",
)
NO_GOALS = "goals by the one-hot skill that phi favours -> none"
ENERGY = "kernel mlp: an energy of s, s' and z -> of phi(s), phi(s') and z"


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A row of settings."""

    summary: str
    """Noun phrase with the source."""
    config: SkillConfig
    paper: SkillConfig
    """The paper's settings, from which differences count: ``config`` itself in a paper's row."""
    remaining: tuple[str, ...]
    """Differences that no setting describes, as 'there -> here'."""


@dataclass(frozen=True, kw_only=True)
class _Paper:
    """An algorithm as its authors run it."""

    title: str
    algorithm: SkillAlgorithmConfig
    env_steps: int
    remaining: tuple[str, ...]


CSF = _Paper(
    title="CSF (Zheng et al. 2025)",
    algorithm=CsfConfig(representation=PAPER_PHI),
    env_steps=CSF_STEPS,
    remaining=(*EVERYWHERE, DRAWN, GOALS),
)
METRA = _Paper(
    title="METRA (Park et al. 2024)",
    algorithm=MetraConfig(representation=PAPER_PHI),
    env_steps=METRA_STEPS,
    remaining=(*EVERYWHERE, *METRA_CODE, DRAWN, GOALS),
)
METRA_ONE_HOT = _Paper(
    title="METRA with one-hot skills (Park et al. 2024)",
    algorithm=MetraConfig(representation=replace(PAPER_PHI, size=ONE_HOT_SKILLS), skills="one_hot"),
    env_steps=METRA_STEPS,
    remaining=(*EVERYWHERE, *METRA_CODE, NO_GOALS),
)
ABLATIONS = _Paper(
    title="ablations of CSF (Zheng et al. 2025)",
    algorithm=MislConfig(representation=PAPER_PHI),
    env_steps=CSF_STEPS,
    remaining=(*EVERYWHERE, ENERGY, DRAWN),
)


def _row(name: str, body: str, paper: _Paper) -> Preset:
    """Returns a paper's row: RK4 if the body's file has it, no terminals, no restarts."""
    config = SkillConfig(
        algorithm=replace(paper.algorithm, hidden=WIDE, learning_rate=1e-4),
        task=BodyConfig(body=body, integrator="file"),
        run=replace(PAPER_RUN, env_steps=paper.env_steps),
        preset=name,
    )
    summary = f"{paper.title} on {find_body(body).title}"
    return Preset(summary=summary, config=config, paper=config, remaining=paper.remaining)


def _fast_ant(paper: _Paper) -> Preset:
    """Returns our row for Ant: the defaults, with bodies that lie on their back started anew."""
    plain = default_skill_config(paper.algorithm.name, "ant")
    config = replace(
        plain,
        task=BodyConfig(body="ant", restart_lying_after=10),
        run=replace(plain.run, env_steps=4_800_000),
        preset="fast-ant",
    )
    return Preset(
        summary="our settings for Ant, for minutes on one processor",
        config=config,
        paper=_row("paper-ant", "ant", paper).config,
        remaining=paper.remaining,
    )


def _discovered_panda() -> Preset:
    """Returns our row for the tabletop, which names no entry of the observation.

    The papers have no such world. Differences count from the authors' settings in it.
    """
    plain = default_skill_config("csf", TABLETOP)
    task = plain.task
    assert isinstance(task, TabletopConfig)
    representation = RepresentationConfig(
        inputs=(UNACTUATED,), input_scale="step", form="mlp", size=3, learning_rate=1e-3
    )
    config = replace(
        plain,
        algorithm=replace(plain.algorithm, learning_rate=1e-3, representation=representation),
        task=replace(task, beside_share=0.5),
        run=replace(plain.run, env_steps=640_000, unusual_share=0.25),
        preset="discovered-panda",
    )
    paper = SkillConfig(
        algorithm=replace(CSF.algorithm, hidden=WIDE, learning_rate=1e-4),
        task=task,
        run=replace(PAPER_RUN, env_steps=CSF.env_steps, normalization="measured"),
    )
    return Preset(
        summary="our settings for skills of the cube that nobody named, in minutes",
        config=config,
        paper=paper,
        remaining=(*EVERYWHERE[:3], DRAWN),
    )


ROWS = (
    _row("paper-ant", "ant", CSF),
    _row("paper-half-cheetah", "half_cheetah", CSF),
    _fast_ant(CSF),
    _row("paper-ant", "ant", METRA),
    _row("paper-half-cheetah", "half_cheetah", METRA_ONE_HOT),
    _fast_ant(METRA),
    _row("paper-ant", "ant", ABLATIONS),
    _discovered_panda(),
)

PRESETS: dict[tuple[str, str], Preset] = {
    (row.config.algorithm_name, str(row.config.preset)): row for row in ROWS
}
"""Every preset by algorithm and name."""


def find_preset(algorithm: str, name: str) -> Preset:
    """Returns a preset.

    Raises:
        ConfigError: the algorithm has no such preset.
    """
    if (algorithm, name) in PRESETS:
        return PRESETS[algorithm, name]
    own = ", ".join(other for kind, other in PRESETS if kind == algorithm)
    kinds = ", ".join(kind for kind, other in PRESETS if other == name)
    raise ConfigError(
        f"--preset {name}: {algorithm} has no such preset"
        + (f"; choose one of {own}" if own else ", nor any other")
        + (f"; it is one of {kinds}" if kinds else "")
    )


def preset_config(algorithm: str, name: str, world: str | None = None) -> SkillConfig:
    """Returns the configuration of ``skill-train ALGORITHM --preset NAME`` without other flags.

    Args:
        algorithm: Name of the algorithm.
        name: Name of the preset.
        world: Value of ``--world`` beside it; None without.

    Raises:
        ConfigError: the algorithm has no such preset, or it is of another world.
    """
    config = find_preset(algorithm, name).config
    if world not in (None, config.world):
        raise ConfigError(f"--preset {name} is of the world {config.world}; leave out --world")
    return config


def check_preset(config: SkillConfig) -> None:
    """Refuses a configuration that is not of the preset that it names.

    Raises:
        ConfigError: there is no such preset, or it is of another world.
    """
    if config.preset is not None:
        preset_config(config.algorithm_name, config.preset, config.world)


def deviations(config: SkillConfig) -> tuple[str, ...]:
    """Returns the differences from the paper of a configuration's preset, as 'there -> here'.

    There are none without a preset, and with one of another release.
    """
    preset = _preset_of(config)
    if preset is None:
        return ()
    changed = differences(preset.paper, config)
    settings = (
        f"{path.removeprefix('run.')}: {_text(there)} -> {_text(here)}"
        for path, (there, here) in changed.items()
        if path not in BOOKKEEPING and path != "preset"
    )
    return (*settings, *preset.remaining)


def remarks(config: SkillConfig) -> tuple[str, ...]:
    """Returns lines about a configuration's preset; () without one."""
    preset = _preset_of(config)
    if preset is None:
        return () if config.preset is None else (f"Preset {config.preset} of another release.",)
    return (
        f"Preset {config.preset}: {preset.summary}. Differences from the paper, as there -> here:",
        *(f"- {deviation}" for deviation in deviations(config)),
    )


def preset_section(config: SkillConfig) -> str:
    """Returns the remarks in Markdown, for the card."""
    first, *listed = remarks(config)
    return "\n".join((first, "", *listed, "")) if listed else f"{first}\n"


def _preset_of(config: SkillConfig) -> Preset | None:
    return PRESETS.get((config.algorithm_name, str(config.preset)))


def _text(value: object) -> str:
    return (
        " ".join(map(str, cast("list[object]", value))) if isinstance(value, list) else str(value)
    )
