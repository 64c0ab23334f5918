"""The driver's process: ``python -m skill_robots.franka_driver``, started by ``FrankaArm``."""

from __future__ import annotations

import os
import pickle
import sys

from skill_robots.franka_driver.process import DriverStart, serve


def main() -> None:
    """Drives the robot until the end."""
    start = pickle.load(sys.stdin.buffer)
    assert isinstance(start, DriverStart)
    code = serve(start)
    sys.stderr.flush()
    os._exit(code)  # the vendors' threads must not delay the end


if __name__ == "__main__":
    main()
