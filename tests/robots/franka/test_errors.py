"""The errors of a robot against those of libfranka."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from skill_robots.franka.errors import ERROR_NAMES, names_of


def test_the_names_are_those_of_libfranka() -> None:
    if importlib.util.find_spec("pylibfranka") is None:
        pytest.skip("pylibfranka is not installed")
    # A process of its own: franky cannot be imported beside the libfranka of pylibfranka.
    code = "import pylibfranka; print(*dir(pylibfranka.Errors))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = {name for name in done.stdout.split() if not name.startswith("_")}
    assert set(ERROR_NAMES) == names


def test_each_flag_has_its_name() -> None:
    flags = bytearray(41)
    flags[6] = flags[25] = flags[32] = 1
    assert names_of(bytes(flags)) == (
        "joint_reflex",
        "communication_constraints_violation",
        "controller_torque_discontinuity",
    )
