"""A policy that is outside of its training from its first second on."""

from __future__ import annotations

from pathlib import Path

from tests.support.policy_files import push_graph, write_policy_file

WINDOW_STEPS = 12
"""Inferences until an excursion: half a second."""


def write_far_policy(directory: Path, *, filename: str = "far.onnx") -> Path:
    """Writes the pusher with contexts near zero, calibrated around (3, 4): a distance of 5."""
    return write_policy_file(
        directory,
        filename=filename,
        model=push_graph(recurrent=True),
        recurrent=[{"name": "memory", "shape": [2], "trained_horizon_steps": 2}],
        context={"size": 2, "center": [3.0, 4.0], "whitening": [[1.0, 0.0], [0.0, 1.0]]},
    )
