"""skill-serve with each of its arms, as a user starts it."""

from __future__ import annotations

import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.support.served import state_when
from tests.support.served_process import COMMAND, serving_process

from skill_runtime.client import SkillClient

MODELS = Path(__file__).parents[3] / "models"

needs_bullet = pytest.mark.skipif(
    find_spec("panda_gym") is None, reason="panda-gym (extra `bullet`) is not installed"
)
needs_driver = pytest.mark.skipif(
    find_spec("franky") is None and find_spec("panda_py") is None,
    reason="no driver (extra `franka`) is installed",
)


def refused(*words: str) -> tuple[int, str]:
    """Returns exit code and output of a command line that cannot be served."""
    done = subprocess.run(
        [*COMMAND, "--model", str(MODELS / "csf_panda.onnx"), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@needs_bullet
def test_the_other_engine_is_served_like_the_first() -> None:
    arguments = ("--arm", "bullet", "--no-demo", "--seed", "1", "--mass", "0.6")
    with (
        serving_process(MODELS / "csf_panda.onnx", *arguments) as address,
        SkillClient(address, timeout_s=10.0) as client,
        client.acquire("me", ttl_s=30),
    ):
        assert (client.server.robot, client.server.backend) == ("panda", "bullet")
        assert client.server.simulated
        state = state_when(client, lambda state: state.scene is not None)
        assert state.scene is not None
        assert state.scene["mass"] == pytest.approx(0.6)
        before = state.objects["cube"].position
        client.skill([1, 0], valid_for_s=20.0)
        state_when(
            client, lambda state: (state.objects["cube"].position[0] or 0) > before[0] + 0.05
        )
        client.scene(mass=1.2)
        state_when(client, lambda state: state.scene is not None and state.scene["mass"] == 1.2)
        client.reset(seed=3)
        state = state_when(client, lambda state: state.mode == "hold")
        assert state.counters.get("faults", 0) == 0
        assert state.counters.get("governor", 0) == 0


def test_a_reduced_speed_is_in_force_and_is_said() -> None:
    with (
        serving_process(MODELS / "csf_panda.onnx", "--no-demo", "--speed", "0.1") as address,
        SkillClient(address, timeout_s=10.0) as client,
        client.acquire("me", ttl_s=30),
    ):
        assert client.server.speed == 0.1
        start = client.state().joint_setpoint
        target = [(start[0] or 0) + 0.3, *(value or 0 for value in start[1:])]
        client.servo_joint(target, valid_for_s=20.0)
        fastest = 0.0
        for state in client.telemetry():
            fastest = max(fastest, abs(state.joint_velocity[0] or 0))
            if abs((state.joint_position[0] or 0) - target[0]) < 0.01:
                break
        # The set-point is at .9 of a tenth of 2.175 rad/s; a compliant arm overshoots it.
        assert 0.15 < fastest < 1.3 * 0.196


def test_an_address_without_a_real_arm_is_a_usage_error() -> None:
    code, text = refused("--address", "172.16.0.2")
    assert code == 2
    assert "--arm mujoco is a simulation" in text


@needs_driver
def test_a_robot_that_nobody_answers_for_is_a_failure_that_may_pass() -> None:
    code, text = refused("--arm", "franka", "--address", "127.86.0.1")
    assert code == 1
    assert "127.86.0.1" in text or "refused" in text
