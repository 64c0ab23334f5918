"""Names of a policy graph's tensors, and random inputs for it, from its manifest."""

from __future__ import annotations

import torch
from torch import Tensor

from skill_proto.manifest import PolicyManifest
from skill_robots.observation import FIELDS, scales
from skill_training.algorithms.skills import sample_skills
from skill_training.errors import ExportError
from skill_training.export.graph import PolicyGraph
from skill_training.nets.mlp import ObservationNormalizer

STATE_SPREAD = 0.5
"""Standard deviation of random recurrent states; an LSTM's hidden state is within 1."""


def check_names(graph: PolicyGraph, manifest: PolicyManifest) -> None:
    """Refuses a graph whose tensors differ from those of its manifest.

    Raises:
        ExportError: an input or output is missing, or an input is not in the manifest.
    """
    states = {state.name for state in manifest.recurrent}
    needed = {"observation", *states}
    allowed = {"previous_action"}
    if manifest.skill.size:
        needed |= {"skill"}
    if manifest.goal is not None:
        needed |= {"goal"} | ({"use_goal"} if manifest.skill.size else set[str]())
        allowed |= {"use_goal"}
    _compare("inputs", graph.input_names, needed)
    unknown = set(graph.input_names) - needed - allowed
    if unknown:
        raise ExportError(f"the graph has inputs {sorted(unknown)} that its manifest does not name")
    outputs = {"action", *(f"next_{state}" for state in states)}
    if manifest.skill.size and manifest.goal is not None:
        outputs |= {"skill_used"}
    if manifest.context is not None:
        outputs |= {"context"} | ({"estimate"} if manifest.context.estimates else set[str]())
    _compare("outputs", graph.output_names, outputs)


def _compare(kind: str, given: tuple[str, ...], needed: set[str]) -> None:
    missing = needed - set(given)
    if missing:
        raise ExportError(
            f"the graph's {kind} {', '.join(given)} lack {', '.join(sorted(missing))}, which its "
            "manifest names"
        )


def random_inputs(
    graph: PolicyGraph, manifest: PolicyManifest, n: int, generator: torch.Generator
) -> tuple[Tensor, ...]:
    """Draws ``n`` inputs of the graph in raw units, with the typical spread of each field.

    If the policy takes skills and goals, half of the inputs use the goal.
    """
    return tuple(
        _random_observations(graph, manifest, n, generator)
        if name == "observation"
        else _random(name, manifest, n, generator)
        for name in graph.input_names
    )


def zero_states(manifest: PolicyManifest, n: int) -> dict[str, Tensor]:
    """Returns the recurrent states at the start of ``n`` episodes, by name."""
    return {state.name: torch.zeros(n, *state.shape) for state in manifest.recurrent}


def _random_observations(
    graph: PolicyGraph, manifest: PolicyManifest, n: int, generator: torch.Generator
) -> Tensor:
    rows = torch.randn(n, manifest.observation_size, generator=generator)
    if all(name in FIELDS for name in manifest.observation_names):
        scale = torch.as_tensor(scales(manifest.observation_names), dtype=torch.float32)
        return rows * scale
    # A field of another world: the graph knows its typical values.
    known = [
        part
        for part in graph.modules()
        if isinstance(part, ObservationNormalizer) and len(part.scale) == rows.shape[1]
    ]
    if not known:
        return rows
    offset = known[0].offset
    spread = rows * known[0].scale.cpu()
    return spread if offset is None else spread + offset.cpu()


def _random(name: str, manifest: PolicyManifest, n: int, generator: torch.Generator) -> Tensor:
    if name == "previous_action":
        return 2 * torch.rand(n, manifest.action_size, generator=generator) - 1
    if name == "skill" and manifest.skill.kind != "none":
        return sample_skills(n, manifest.skill.size, generator, manifest.skill.kind)
    if name == "goal" and manifest.goal is not None:
        low, high = torch.tensor(manifest.goal.low), torch.tensor(manifest.goal.high)
        return low + (high - low) * torch.rand(n, manifest.goal_size, generator=generator)
    if name == "use_goal":
        return torch.randint(0, 2, (n, 1), generator=generator).float()
    shapes = {state.name: state.shape for state in manifest.recurrent}
    if name in shapes:
        return STATE_SPREAD * torch.randn(n, *shapes[name], generator=generator)
    raise ExportError(f"the graph has an input {name!r} that its manifest does not name")
