"""Demonstrations by skills that were discovered on the tabletop, without a script."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from skill_proto.arrays import Array
from skill_proto.manifest import PolicyManifest
from skill_robots.observation import layout
from skill_robots.tasks.skill_aware.scenes import CONTROL_RATE_HZ, DISPLACEMENT_M, OBSERVATION
from skill_training.errors import ConfigError
from skill_training.recipes.policy_content import pursue, read_policy

ABSENT = ("setpoint_gap", "setpoint_velocity")
"""Fields of a policy that the benchmark's arm does not have, and that are zero. Its target is the
measured end effector plus the action, so there is no set-point between two actions."""

CLOSED = -1.0
"""Change of the gripper's width that keeps it closed."""


class SkillDemonstrator:
    """A skill policy of the tabletop that pursues goals zero-shot, with the gripper closed.

    Args:
        path: The ``.onnx`` file, or the name of a shipped model.

    Raises:
        ConfigError: the file does not exist, or its policy takes no goals of the benchmark.
    """

    def __init__(self, path: Path) -> None:
        content = read_policy(path, example="csf_discovered_panda", use="demonstrate with")
        self._session, self._manifest = content.session, content.manifest
        manifest = content.manifest
        goal = manifest.goal
        if goal is None or not _can_demonstrate(manifest):
            raise ConfigError(
                f"{path} cannot demonstrate: it is not a skill policy that observes hand and cube, "
                "moves the end effector at 25 Hz and takes the cube's place as a goal; give a "
                "policy file from `skill-train csf`, such as csf_discovered_panda"
            )
        self._gain = np.array(manifest.action[0].scale) / DISPLACEMENT_M
        self._low, self._high = np.array(goal.low), np.array(goal.high)
        self._place = layout(OBSERVATION)

    def reset(self, n: int) -> None:
        """Has no effect: the policy has no state."""

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        """Returns actions ``(n, 4)`` in [-1, 1] for goals ``(n, 2)`` [m].

        Args:
            observation: ``(n, 23)``, the fields of the benchmark.
            skill: not used.
            goal: ``(n, 2)``.
        """
        del skill
        assert goal is not None
        n = len(observation)
        fields = [
            observation[:, self._place[field.name]]
            if field.name in self._place
            else np.zeros((n, field.size))
            for field in self._manifest.observation
        ]
        action = pursue(
            self._session,
            self._manifest,
            np.concatenate(fields, axis=1),
            np.clip(goal, self._low, self._high),
            output="action",
        )
        return np.column_stack([np.clip(self._gain * action, -1.0, 1.0), np.full(n, CLOSED)])


def _can_demonstrate(manifest: PolicyManifest) -> bool:
    observed = all(name in (*OBSERVATION, *ABSENT) for name in manifest.observation_names)
    skills = manifest.skill.kind != "none" and not manifest.recurrent
    goal = manifest.goal
    places = goal is not None and (goal.field, goal.components) == ("cube_position", (0, 1))
    moves = [part.name for part in manifest.action] == ["end_effector_displacement"]
    centred = moves and not np.any(manifest.action[0].offset)
    return (
        observed and skills and places and centred and manifest.control_rate_hz == CONTROL_RATE_HZ
    )
