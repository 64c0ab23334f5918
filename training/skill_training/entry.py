"""Entry point of ``skill-train``: says what to install where the ``train`` extra is missing."""

from __future__ import annotations

import importlib.util
import sys

NEEDED = ("torch", "onnx", "onnxscript", "tensorboard", "onnxruntime")
"""Packages without which nothing can be trained and exported."""


def main() -> None:
    """Runs ``skill-train``; exits with 2 where a package is missing."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(
            f"skill-train: training needs {', '.join(missing)}, which a serving install leaves "
            "out. Fix: pip install 'skill-serve[train]', or `make install-dev` in a checkout.",
            file=sys.stderr,
        )
        sys.exit(2)
    from skill_training.cli import main as run

    run()
