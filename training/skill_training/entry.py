"""Entry point of ``skill-train``: names the missing packages if the ``train`` extra is absent."""

from __future__ import annotations

import importlib.util
import os
import sys

from skill_training.run.provenance import DISTRIBUTION, version

NEEDED = ("torch", "onnx", "onnxscript", "tensorboard", "onnxruntime")
"""Packages of the ``train`` extra that training and export need."""


def main() -> None:
    """Runs ``skill-train``; exits with 2 if a package is missing.

    ``--version`` as the first word works without any of them.
    """
    if sys.argv[1:2] == ["--version"]:
        print(f"skill-train {version(DISTRIBUTION)}")
        sys.exit(0)
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(
            f"skill-train: training needs {', '.join(missing)}, which a serving install does not "
            "include. Fix: pip install 'skill-serve[train]', or `make install-dev` in a checkout.",
            file=sys.stderr,
        )
        sys.exit(2)
    # ONNX Runtime 1.31 otherwise sends events to its vendor; it reads this when it is imported.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    from skill_training.cli import main as run

    run()
