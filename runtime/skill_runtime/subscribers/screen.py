"""Whether a window can be opened."""

from __future__ import annotations

import os
import sys


def no_display() -> str:
    """Returns the reason why no window can be opened; empty if one can."""
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return ""
    return "--view: there is no screen (neither DISPLAY nor WAYLAND_DISPLAY is set)"
