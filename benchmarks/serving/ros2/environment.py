"""ROS 2 for processes: wheels in .venv/ros2, or the ROS of the shell."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

WHEELS = Path(sys.prefix) / "ros2"
"""Where `make install-dev` installs the packages of wheels.txt."""

DOMAINS = range(1, 102)
"""Domains whose ports lie below those that Linux gives to other programs."""


class NoRosError(Exception):
    """ROS 2 is not on this machine."""


@contextmanager
def ros_environment(folder: Path) -> Generator[dict[str, str]]:
    """Yields the environment of a process with ROS, in a domain of its own on this machine alone.

    Args:
        folder: For the logs of ROS.

    Raises:
        NoRosError: There is no ROS.
        RuntimeError: Every domain is in use.
    """
    environment = _with_ros()
    if environment is None:
        raise NoRosError("no ROS 2 here: neither .venv/ros2 (make install-dev) nor in this shell")
    with _free_domain() as domain:
        yield environment | {
            "ROS_DOMAIN_ID": str(domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "ROS_LOG_DIR": str(folder),
            "OMP_NUM_THREADS": "1",
        }


def _with_ros() -> dict[str, str] | None:
    """Returns the environment of this process, with ROS; None without ROS."""
    packages = WHEELS / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    if (packages / "rclpy" / "__init__.py").is_file():
        libraries = [WHEELS / "lib", *sorted(packages.glob("ros_*.libs"))]
        return dict(os.environ) | {
            "PYTHONPATH": str(packages),
            "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
            "AMENT_PREFIX_PATH": str(WHEELS),
        }
    return dict(os.environ) if importlib.util.find_spec("rclpy") else None


@contextmanager
def _free_domain() -> Generator[int]:
    """Yields a domain that no other program of this kind uses on this machine."""
    first = os.getpid() % len(DOMAINS)
    for domain in (*DOMAINS[first:], *DOMAINS[:first]):
        path = Path(tempfile.gettempdir()) / f"skill-serve-test-ros-domain-{domain}"
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            yield domain
            return
    raise RuntimeError("every ROS domain is in use by another program of this kind")
