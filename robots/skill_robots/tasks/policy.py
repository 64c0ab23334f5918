"""Policy: anything that acts."""

from __future__ import annotations

from typing import Protocol

from skill_proto.arrays import Array


class Policy(Protocol):
    """Anything that acts: an ONNX file, a network in training, a random baseline."""

    def reset(self, n: int) -> None:
        """Starts ``n`` new episodes: forgets recurrent state and the previous action."""
        ...

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        """Deterministic actions.

        Args:
            observation: ``(n, O)``, raw units.
            skill: ``(n, Z)``, or None.
            goal: ``(n, G)``, or None; takes the place of the skill.

        Returns:
            ``(n, A)`` in [-1, 1].
        """
        ...
