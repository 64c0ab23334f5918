"""The physics engines of the tasks, and the error for one that is not installed.

Only names: a task imports its simulation when it is asked for it.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
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


@contextmanager
def bullet_import() -> Generator[None]:
    """Context manager for the import of code that uses PyBullet.

    PyBullet prints its build time to standard error when it is imported; this is suppressed.

    Raises:
        EngineMissingError: a package is not installed.
    """
    stderr = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    except ModuleNotFoundError as error:
        raise EngineMissingError(error.name) from error
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
