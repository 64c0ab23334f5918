"""Policy: the interface of every policy that rollouts can run."""

from __future__ import annotations

from typing import Protocol

from skill_proto.arrays import Array


class Policy(Protocol):
    """A policy: an ONNX file, a network in training, or a random baseline."""

    def reset(self, n: int) -> None:
        """Starts ``n`` new episodes: resets the recurrent state and the previous action."""
        ...

    def act(
        self, observation: Array, *, skill: Array | None = None, goal: Array | None = None
    ) -> Array:
        """Returns the deterministic actions.

        Args:
            observation: ``(n, O)``, proprioceptive and object state in raw SI units.
            skill: ``(n, Z)``, or None.
            goal: ``(n, G)``, or None.

        Returns:
            ``(n, A)`` in [-1, 1].
        """
        ...
