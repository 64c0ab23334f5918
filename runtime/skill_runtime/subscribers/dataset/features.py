"""The columns of a dataset: their names, and their values in each frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skill_proto.arrays import Float32Array
from skill_proto.messages import Telemetry, Welcome
from skill_runtime.subscribers.dataset.episodes import Frame

POSE = ("x", "y", "z", "qw", "qx", "qy", "qz")


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column of vectors."""

    name: str
    entries: tuple[str, ...]
    """Name of each entry."""

    @property
    def shape(self) -> tuple[int]:
        """Shape of a vector."""
        return (len(self.entries),)


class Features:
    """The columns for one server.

    Args:
        welcome: Description of the server.
        objects: Names of the objects in its telemetry.
        has_skill: Whether a step was under a skill.
        has_goal: Whether a step was under a goal.

    Attributes:
        columns: The columns.
    """

    def __init__(
        self, welcome: Welcome, objects: Sequence[str], *, has_skill: bool, has_goal: bool
    ) -> None:
        manifest = welcome.manifest
        joints = welcome.joint_names
        state = [f"{joint}.pos" for joint in joints] + [f"{joint}.vel" for joint in joints]
        state += [f"end_effector.{axis}" for axis in "xyz"] + ["gripper.width"]
        self._objects = tuple(objects)
        columns = {"observation.state": state}
        if objects:
            columns["observation.environment_state"] = [
                f"{name}.{axis}" for name in objects for axis in POSE
            ]
        columns["observation.policy"] = _numbered(
            [(item.name, item.size) for item in manifest.measured], manifest.observation_size
        )
        if has_skill and manifest.skill.size:
            columns["observation.skill"] = [f"skill.{i}" for i in range(manifest.skill.size)]
        if has_goal and manifest.goal is not None:
            columns["observation.goal"] = [f"goal.{i}" for i in range(manifest.goal_size)]
        columns["action"] = _numbered(
            [(item.name, item.size) for item in manifest.action], manifest.action_size
        )
        self.columns = tuple(
            Feature(name=name, entries=tuple(entries)) for name, entries in columns.items()
        )

    def rows(self, frames: Sequence[Frame]) -> dict[str, Float32Array]:
        """Returns the values ``(n, k)`` of each column in ``n`` frames; NaN for an unknown one."""
        found = {column.name: self._rows(column, frames) for column in self.columns}
        return {name: np.array(rows, np.float32) for name, rows in found.items()}

    def _rows(self, column: Feature, frames: Sequence[Frame]) -> list[list[float]]:
        unknown = [float("nan")] * len(column.entries)
        match column.name:
            case "observation.state":
                return [_state(frame.state) for frame in frames]
            case "observation.environment_state":
                return [self._poses(frame.state) for frame in frames]
            case "observation.policy":
                return [list(frame.step.observation) for frame in frames]
            case "observation.skill":
                return [list(frame.step.skill or unknown) for frame in frames]
            case "observation.goal":
                return [list(frame.step.goal or unknown) for frame in frames]
            case _:
                return [list(frame.step.action) for frame in frames]

    def _poses(self, state: Telemetry) -> list[float]:
        values: list[float | None] = []
        for name in self._objects:
            pose = state.objects.get(name)
            values += [None] * len(POSE) if pose is None else [*pose.position, *pose.quaternion]
        return _known(values)


def _state(state: Telemetry) -> list[float]:
    return _known(
        [
            *state.joint_position,
            *state.joint_velocity,
            *state.end_effector_position,
            state.gripper_width,
        ]
    )


def _known(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]


def _numbered(parts: Sequence[tuple[str, int]], size: int) -> list[str]:
    """Returns a name per entry; plain numbers if the parts do not add up to the size."""
    names = [f"{name}.{i}" if n > 1 else name for name, n in parts for i in range(n)]
    return names if len(names) == size else [str(i) for i in range(size)]
