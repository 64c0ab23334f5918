"""Mujoco's names come out of compiled modules without type information: here they are Any."""

from typing import Any

def __getattr__(name: str) -> Any: ...  # noqa: ANN401  the point of this file
