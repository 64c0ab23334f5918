"""ROS 2 for the processes of a test."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from benchmarks.serving.ros2.environment import NoRosError, ros_environment


@contextmanager
def ros_or_skip(folder: Path) -> Generator[dict[str, str]]:
    """Yields the environment of a process with ROS; skips the test where there is none."""
    with ExitStack() as stack:
        try:
            environment = stack.enter_context(ros_environment(folder))
        except NoRosError as error:
            pytest.skip(str(error))
        yield environment
