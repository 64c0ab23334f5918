"""The representation phi of a trained policy, read from its policy file or its run directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from skill_proto.arrays import Array
from skill_robots.worlds.errors import WorldError
from skill_robots.worlds.registry import make_world
from skill_training.errors import TrainingError
from skill_training.nets.inputs import NetworkInputs
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.recipes.discovery.policy import build_algorithm
from skill_training.run import checkpoint
from skill_training.run.directory import RunDirectory

Phi = Callable[[Array], Array]
"""``(n, O)`` observations in raw units -> ``(n, d)``."""

SCALE = "representation.scale"
"""Name of phi's input scale in a policy file."""

OFFSET = 1e-3
"""Half of the difference quotient's step, in the units of the observation. Phi is piecewise linear
at most, so that the size hardly matters."""


class NoPhiError(ValueError):
    """The file or directory holds no representation; the text says what to give instead."""


def load_phi(path: Path) -> Phi:
    """Returns phi of a policy file, or of a run directory.

    That of a directory is in its checkpoint; without one, in its policy file.

    Raises:
        NoPhiError: there is none.
    """
    if not path.is_dir():
        return _of_file(path)
    run = RunDirectory(path)
    has_policy_alone = run.policy.is_file() and not run.checkpoint.is_file()
    return _of_file(run.policy) if has_policy_alone else _of_run(run)


def slopes(phi: Phi, observation: Array, directions: Array) -> Array:
    """Returns the mean derivative of phi along some directions of the observation, ``(d, m)``.

    Args:
        phi: The representation.
        observation: ``(n, O)`` visited states.
        directions: ``(m, O)`` changes of the observation per unit of a quantity, such as a metre of
            the cube's x.
    """
    columns = [
        (phi(observation + OFFSET * along) - phi(observation - OFFSET * along)).mean(axis=0)
        for along in directions
    ]
    return np.stack(columns, axis=1) / (2.0 * OFFSET)


def skills_in_plane(jacobian: Array, circle: Array) -> Array:
    """Returns the skills z = J u / |J u| that phi gives to directions u of the plane, ``(k, d)``.

    Args:
        jacobian: J, ``(d, 2)``.
        circle: u, ``(k, 2)``.
    """
    skills = circle @ jacobian.T
    return skills / np.maximum(np.linalg.norm(skills, axis=1, keepdims=True), 1e-12)


def _of_run(run: RunDirectory) -> Phi:
    try:
        config = run.config()
        if not isinstance(config, SkillConfig):
            raise NoPhiError(f"{run.path} holds a run of {config.algorithm_name}, without skills")
        if config.algorithm.representation.sees_pixels:
            raise NoPhiError(f"phi of {run.path} sees frames; give a run whose phi sees states")
        state = checkpoint.load(run.checkpoint)["learner"]
        world = make_world(config.task, 1)
        world.close()
        inputs = NetworkInputs.from_state_dict(state["inputs"])
        algorithm = build_algorithm(config, inputs, world.spec, torch.device("cpu"))
    except (TrainingError, WorldError) as error:
        raise NoPhiError(str(error)) from None
    representation = algorithm.representation
    representation.load_state_dict(state["algorithm"]["representation"])
    representation.double()

    @torch.no_grad()
    def phi(observation: Array) -> Array:
        found: Array = representation(torch.as_tensor(observation, dtype=torch.float64)).numpy()
        return found

    return phi


def _of_file(path: Path) -> Phi:
    """Cuts the graph at phi of the observation, from which the skill to a goal is computed."""
    try:
        model = onnx.load(str(path))
    except (OSError, ValueError, RuntimeError) as error:
        raise NoPhiError(f"cannot read {path}: {error}") from None
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    place = _embedding(graph.node, makers)
    if place is None:
        raise NoPhiError(
            f"{path} holds no representation, because its policy takes no goals; give the run "
            "directory, whose checkpoint has it"
        )
    needed = _ancestors(place, makers)
    kept = [node for node in graph.node if node.output[0] in needed]
    read = {name for node in kept for name in node.input}
    numbers = [one for one in graph.initializer if one.name in read]
    observed = [one for one in graph.input if one.name == "observation"]
    del graph.node[:], graph.initializer[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend(kept)
    graph.initializer.extend(numbers)
    graph.input.extend(observed)
    graph.output.append(onnx.ValueInfoProto(name=place))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )

    def phi(observation: Array) -> Array:
        feed = {"observation": observation.astype(np.float32)}
        found: Array = np.asarray(session.run(None, feed)[0], dtype=np.float64)
        return found

    return phi


def _embedding(nodes: Sequence[onnx.NodeProto], makers: dict[str, onnx.NodeProto]) -> str | None:
    """Returns the name of phi(s) in phi(g) - phi(s), whose norm the graph computes.

    The norm is a ReduceL2, or the root of a sum of squares in files for older runtimes.
    """
    for node in nodes:
        is_square = node.op_type == "Mul" and len(set(node.input)) == 1
        is_norm = node.op_type == "ReduceL2" or is_square
        difference = makers.get(node.input[0]) if is_norm else None
        if difference is None or difference.op_type != "Sub":
            continue
        here = difference.input[1]
        above = [makers[name] for name in _ancestors(here, makers)]
        if any(SCALE in one.input for one in above):
            return here
    return None


def _ancestors(name: str, makers: dict[str, onnx.NodeProto]) -> set[str]:
    """Returns the first outputs of all nodes from which a tensor is computed."""
    found, waiting = set[str](), [name]
    while waiting:
        node = makers.get(waiting.pop())
        if node is not None and node.output[0] not in found:
            found.add(node.output[0])
            waiting += node.input
    return found
