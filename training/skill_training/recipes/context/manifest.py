"""The manifest of ``skill-train context``, and the texts of its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from skill_proto.manifest import Context, PolicyManifest, RecurrentState, SkillSpace
from skill_proto.plant import SimulatedWorld
from skill_robots.worlds.world import WorldSpec
from skill_training.algorithms.context_sac_config import encoder_note
from skill_training.recipes.context.config import METHODS, ContextConfig
from skill_training.recipes.manifest_parts import hidden_ranges, plain_name
from skill_training.recipes.recipe import RunFacts

LIMITS = """\
- Simulation only: the policy moves no arm, and `skill-serve` refuses it.
- Trained for the reward of {world} in episodes of {steps} control steps, within the ranges above.
- The context is inferred from motion, and is unknown at the start of an episode.
"""

SET_TEXTS = {
    "train": "contexts of training",
    "moderate": "contexts of the moderate test",
    "extreme": "contexts of the extreme test",
}


def build_manifest(
    config: ContextConfig,
    facts: RunFacts,
    spec: WorldSpec,
    context: Context,
    recurrent: tuple[RecurrentState, ...],
) -> PolicyManifest:
    """Returns the manifest of a run."""
    return PolicyManifest(
        name=f"context_{plain_name(config.world)}"[:128],
        algorithm="context",
        description=description(config, spec),
        control_rate_hz=spec.control_rate_hz,
        observation=spec.observation,
        action=spec.action,
        skill=SkillSpace(kind="none", size=0),
        recurrent=recurrent,
        context=context,
        world=SimulatedWorld(
            name=config.world,
            episode_steps=spec.episode_steps,
            settings=asdict(config.task),
        ),
        trained_on=hidden_ranges(spec),
        provenance=facts.provenance,
        evaluation=facts.evaluation,
    )


def description(config: ContextConfig, spec: WorldSpec) -> str:
    """Returns the description of the policy."""
    objective = config.run.objective
    method = METHODS.get(objective)
    how = f"objective {objective}" + (f" ({method})" if method else "")
    names = ", ".join(one.name for one in spec.hidden)
    return (
        f"Follows the reward of {spec.title} while it infers {names} from its own motion; trained "
        f"with {how}."
    )


def training_note(config: ContextConfig) -> str:
    """Returns how the policy was trained, for the card."""
    settings = config.learning
    text = (
        f"Soft actor-critic on windows of {config.run.window} control steps with stored states of "
        f"the encoder. {encoder_note(settings)}"
    )
    if settings.contrastive.sampling in ("satesac", "saccm", "cross"):
        text += f" Windows are ranked by {settings.contrastive.rank}."
    return f"{text}\n"


def metric_texts(spec: WorldSpec) -> Mapping[str, str]:
    """Returns a description of each metric of a final evaluation, by name."""
    texts: dict[str, str] = {}
    for name, text in SET_TEXTS.items():
        texts[f"return.{name}"] = f"mean return, {text}"
        texts[f"return_std.{name}"] = f"standard deviation of the return, {text}"
        for one in spec.hidden:
            texts[f"r2.{one.name}.{name}"] = f"R2 of {one.name} at the end of an episode, {text}"
    return texts
