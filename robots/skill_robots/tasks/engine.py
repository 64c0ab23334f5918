"""The physics engines of the tasks, and the error for one that is not installed.

Only names: a task imports its simulation when it is asked for it.
"""

from __future__ import annotations

from typing import Literal

Engine = Literal["bullet", "mujoco"]
"""``mujoco`` is always installed; ``bullet`` is panda-gym's robot on PyBullet, an extra."""


class EngineMissingError(RuntimeError):
    """The requested physics engine is not installed; the text names the package.

    Args:
        package: The package that is missing; None if it is unknown.
    """

    def __init__(self, package: str | None) -> None:
        super().__init__(
            f"the bullet engine needs {package or 'pybullet'}, which is not installed; "
            "pip install 'skill-serve[bullet]' (Python 3.11), or take the mujoco engine"
        )
