"""A policy file as a script would run it: one ONNX Runtime session, one recurrent state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from skill_proto.arrays import Float32Array
from skill_runtime.policy.policy_file import open_policy_file


class BarePolicy:
    """Runs a policy for one robot.

    Args:
        path: The policy file.
    """

    def __init__(self, path: Path) -> None:
        file = open_policy_file(path)
        self.manifest = file.manifest
        self._session: Any = file.session
        self._outputs = [tensor.graph_name for tensor in file.outputs]
        self._place = {tensor.name: place for place, tensor in enumerate(file.outputs)}
        self._graph = {tensor.name: tensor.graph_name for tensor in file.inputs}
        self._feed = {
            tensor.graph_name: np.zeros((1, *tensor.row_shape), np.float32)
            for tensor in file.inputs
        }
        self._states = tuple(state.name for state in self.manifest.recurrent)
        self.command = "goal" if self.manifest.goal is not None else "skill"
        """Name of the command that the benchmark sends."""
        if "use_goal" in self._graph:
            self._feed[self._graph["use_goal"]][:] = self.command == "goal"

    def act(self, observation: Float32Array, command: Float32Array) -> Float32Array:
        """Returns ``(1, A)`` actions for ``(1, O)`` observations and ``(1, G)`` commands."""
        self._feed[self._graph["observation"]] = observation
        self._feed[self._graph[self.command]] = command
        values = self._session.run(self._outputs, self._feed)
        action = values[self._place["action"]]
        for name in self._states:
            self._feed[self._graph[name]] = values[self._place[f"next_{name}"]]
        if "previous_action" in self._graph:
            self._feed[self._graph["previous_action"]] = action
        return action


def command_of(policy: BarePolicy) -> Float32Array:
    """Returns a command ``(1, G)`` that the policy accepts."""
    manifest = policy.manifest
    if manifest.goal is not None:
        middle = 0.5 * (np.array(manifest.goal.low) + np.array(manifest.goal.high))
        return middle[None].astype(np.float32)
    return np.eye(1, manifest.skill.size, dtype=np.float32)
