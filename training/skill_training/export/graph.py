"""The exported policy: one module from raw observation and command to action.

The same module is evaluated during training and exported, so that metrics hold for the served file.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from skill_proto.arrays import Array
from skill_training.nets.finite import check_action


class PolicyGraph(nn.Module):
    """Base of all exported policies; ``forward`` takes and returns batch-first tensors.

    Inputs are, in the order of ``forward``, some of ``observation`` (raw units),
    ``previous_action``, ``skill``, ``goal`` (raw units), ``use_goal`` and recurrent states by
    name. Outputs are a tuple: ``action`` in [-1, 1], ``next_<state>`` for every state and
    further outputs of the manifest.
    """

    input_names: tuple[str, ...]
    """Names of ``forward``'s arguments in the file."""

    output_names: tuple[str, ...]
    """Names of ``forward``'s results in the file, including ``action``."""

    def for_shipping(self) -> Self:
        """Returns a copy on the CPU, for export."""
        return copy.deepcopy(self).cpu().eval()


class TorchPolicy:
    """A graph as a robots ``Policy``: float64 arrays in, float64 arrays out.

    Args:
        graph: The policy.
        action_size: A.
        skill_size: Z, 0 if the policy takes no skill.
        goal_size: G, 0 if the policy takes no goal.
        states: Shape of each recurrent state without the batch axis, by name.
    """

    def __init__(
        self,
        graph: PolicyGraph,
        *,
        action_size: int,
        skill_size: int = 0,
        goal_size: int = 0,
        states: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        self._graph = graph
        self._sizes = {"previous_action": action_size, "skill": skill_size, "goal": goal_size}
        self._shapes = dict(states or {})
        self._device = next(graph.parameters()).device
        self._states: dict[str, Tensor] = {}
        """Previous actions and recurrent states, by name."""
        self.outputs: dict[str, Tensor] = {}
        """All outputs of the last step, by name."""

    def reset(self, n: int) -> None:
        """Starts ``n`` episodes: previous actions and recurrent states are zero."""
        shapes = {"previous_action": (self._sizes["previous_action"],), **self._shapes}
        self._states = {
            name: torch.zeros(n, *shape, device=self._device) for name, shape in shapes.items()
        }

    @torch.no_grad()
    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        """Deterministic actions ``(n, A)``; see ``skill_robots.tasks.policy.Policy``.

        Raises:
            ValueError: a goal is given, and the policy takes no goal.
            NotFiniteError: an action is not finite.
        """
        if goal is not None and "goal" not in self._graph.input_names:
            raise ValueError("this policy takes no goal")
        n = len(observation)
        if not self._states:
            self.reset(n)
        inputs = self._states | {
            "observation": self._tensor(observation),
            "skill": self._command("skill", skill, n),
            "goal": self._command("goal", goal, n),
            "use_goal": self._tensor(np.full((n, 1), float(goal is not None))),
        }
        values = self._graph(*(inputs[name] for name in self._graph.input_names))
        self.outputs = dict(zip(self._graph.output_names, values, strict=True))
        self._states = {name: self.outputs[f"next_{name}"] for name in self._shapes}
        self._states["previous_action"] = self.outputs["action"]
        result: Array = self.outputs["action"].cpu().numpy().astype(np.float64)
        return check_action(result, observation)

    def _command(self, name: str, given: Array | None, n: int) -> Tensor:
        return self._tensor(np.zeros((n, self._sizes[name])) if given is None else given)

    def _tensor(self, array: Array) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32, device=self._device)
