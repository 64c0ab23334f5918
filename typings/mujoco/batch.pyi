"""Untyped, as the package stub beside this file says."""

from typing import Any

def __getattr__(name: str) -> Any: ...  # noqa: ANN401  the point of this file
