"""Fixtures that several parts of the tests share."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from tests.support.policy_files import push_manifest, write_goal_policy_file, write_policy_file

from skill_proto.manifest import PolicyManifest

# No time limit per example: a busy machine must not fail a test.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")

# As in every program; to be set before ONNX Runtime is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# A shell's background job ignores SIGINT, and the processes that the tests interrupt inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

PolicyFileFactory = Callable[..., Path]

TESTS = Path(__file__).parent

REAL_TIME = ("runtime", "benchmarks", "examples", "robots/control_box", "robots/franka_driver")
"""Folders of tests with processes that keep time; a test beside them would make them late."""

NOT_REAL_TIME = (
    "runtime/authority",
    "runtime/channel",
    "runtime/control",
    "runtime/evaluation",
    "runtime/fault_injection",
    "runtime/gateway",
    "runtime/policy",
    "runtime/transport",
    "benchmarks/context",
    "benchmarks/discovery",
    "benchmarks/gpu",
    "benchmarks/lib",
    "benchmarks/safety",
    "benchmarks/skill_aware",
)
"""Folders in those of :data:`REAL_TIME` whose tests set the clock themselves, or have none."""


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that need the machine for themselves."""
    for item in items:
        if _is_in(item.path, REAL_TIME) and not _is_in(item.path, NOT_REAL_TIME):
            item.add_marker(pytest.mark.real_time)


def _is_in(path: Path, folders: tuple[str, ...]) -> bool:
    return any(path.is_relative_to(TESTS / folder) for folder in folders)


def cuda_device_count() -> int:
    """Returns the number of CUDA devices, as reported by the driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


@pytest.fixture
def cuda() -> None:
    """Skips a test on a machine without a CUDA device."""
    if not cuda_device_count():
        pytest.skip("no CUDA device on this machine")


@pytest.fixture
def no_cuda() -> None:
    """Skips a test on a machine with a CUDA device."""
    if cuda_device_count():
        pytest.skip("this machine has a CUDA device")


@pytest.fixture(scope="session")
def make_manifest() -> Callable[..., PolicyManifest]:
    """:func:`push_manifest`: ``make_manifest(**overrides) -> PolicyManifest``."""
    return push_manifest


@pytest.fixture(scope="session")
def make_policy_file() -> PolicyFileFactory:
    """:func:`write_policy_file`: ``make_policy_file(tmp_path, **overrides) -> Path``."""
    return write_policy_file


@pytest.fixture(scope="session")
def policy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One valid policy file for tests that only read it: O = 28, A = 3, Z = 2, G = 2."""
    return write_policy_file(tmp_path_factory.mktemp("policy"))


@pytest.fixture(scope="session")
def goal_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One recurrent policy of goals alone, see :func:`write_goal_policy_file`."""
    return write_goal_policy_file(tmp_path_factory.mktemp("goal_policy"))
