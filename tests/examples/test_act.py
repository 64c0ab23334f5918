"""The C++ program that borrows the policy, against a real server with all of its processes."""

from __future__ import annotations

import math
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx.parser
import pytest
from tests.support.served import Served, state_when
from tests.support.served_process import serving_process

from skill_runtime.client import SkillClient

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "goal_panda.onnx"
GOAL = np.array([0.05, 0.05])
SEEDS = range(3, 6)
"""Start positions; one of three pushes must succeed, because a busy machine disturbs a simulation
in real time."""

NEAR_CM = 5.0
WITHOUT_GOALS = """<ir_version: 10, opset_import: ["" : 20]>
g (float[batch,28] observation) => (float[batch,3] action)
<int64[3] first = {0, 1, 2}>
{ action = Gather <axis = 1> (observation, first) }"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server of the goal policy with an ordinary cube."""
    words = ("--no-demo", "--stop-after", "inf", "--mass", "0.8", "--friction", "0.4")
    with serving_process(MODEL, *words) as address:
        yield address


@pytest.fixture
def program(programs: Path) -> str:
    return str(programs / "act")


def run(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *words], capture_output=True, text=True, timeout=120, check=False
    )


def push(program: str, address: str, seed: int, seconds: float) -> tuple[int, float, str]:
    """Returns exit status, distance from the goal [cm] and error output of one push.

    The distance is infinite if the program ended with an error.
    """
    goal = ",".join(map(str, GOAL))
    words = ("--address", address, "--seed", str(seed), "--seconds", str(seconds), "--goal", goal)
    done = run(program, *words)
    said = re.fullmatch(r"(not )?reached: (\S+) cm from the goal; the arm holds\n", done.stdout)
    if said is None:
        return done.returncode, math.inf, done.stderr
    assert bool(said[1]) == bool(done.returncode)
    return done.returncode, float(said[2]), done.stderr


def test_the_borrowed_policy_brings_the_cube_to_the_goal(program: str, address: str) -> None:
    tries: list[tuple[int, float, str]] = []
    for seed in SEEDS:
        code, start_cm, _ = push(program, address, seed, 0.0)
        assert (code, start_cm > NEAR_CM) == (1, True)
        tries.append(push(program, address, seed, 40.0))
        if tries[-1][0] == 0:
            break
    code, distance_cm, _ = tries[-1]
    assert (code, distance_cm < NEAR_CM) == (0, True), tries
    with SkillClient(address, timeout_s=10.0) as client:
        state = client.state()
    assert (state.mode, state.lease_holder) == ("hold", None)
    cube = np.array(state.objects["cube"].position[:2], float)
    assert np.linalg.norm(cube - GOAL) < 0.01 * NEAR_CM


def test_ctrl_c_gives_the_lease_back(program: str, address: str) -> None:
    words = [program, "--address", address, "--seed", "1", "--goal", "-0.15,0.15"]
    with SkillClient(address, timeout_s=10.0) as client:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        state_when(client, lambda state: state.mode == "servo" or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        client.hello()
        state = client.state()
    assert "the arm holds" in out
    assert (state.mode, state.lease_holder) == ("hold", None)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--goal", "0.5,0"), "invalid: goal: cube_position[0] = 0.5 m is outside -0.15 to 0.1 m"),
        (("--goal", "0.05"), "invalid: array 'goal' has shape [1, 1], expected [1, 2]"),
        (("--seed", "-1"), "invalid: reset.seed"),
    ],
)
def test_a_refused_request_is_explained(
    program: str, address: str, words: tuple[str, ...], said: str
) -> None:
    done = run(program, "--address", address, *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    with SkillClient(address, timeout_s=10.0) as client:
        assert client.hello().lease_holder is None


def test_a_lease_of_another_client_is_respected(program: str, address: str) -> None:
    with SkillClient(address, timeout_s=10.0) as client, client.acquire("the other one"):
        done = run(program, "--address", address)
    assert done.returncode == 1
    assert "lease_held: 'the other one' holds the lease" in done.stderr


def test_telemetry_of_another_server_is_refused(program: str, address: str, served: Served) -> None:
    other = served.server.addresses.telemetry
    done = run(program, "--address", address, "--telemetry", other)
    assert done.returncode == 1
    assert "another server answers, or the server was started again" in done.stderr


def test_a_policy_without_goals_is_refused(
    program: str,
    serve: Callable[[Path], Served],
    tmp_path: Path,
    make_policy_file: Callable[..., Path],
) -> None:
    graph = onnx.parser.parse_model(WITHOUT_GOALS)
    no_skill = {"kind": "none", "size": 0}
    path = make_policy_file(tmp_path, model=graph, goal=None, skill=no_skill, representation=None)
    done = run(program, "--address", serve(path).address)
    assert done.returncode == 1
    assert "act: the policy takes no goals; serve models/goal_panda.onnx" in done.stderr


def test_without_a_server_the_program_prints_the_address(program: str) -> None:
    done = run(program, "--address", "tcp://127.0.0.1:1")
    assert (done.returncode, done.stderr) == (1, "act: no answer (tcp://127.0.0.1:1)\n")


@pytest.mark.parametrize(
    "words",
    [("--goal", "near"), ("--goal",), ("--seconds", "x"), ("--seed", "x"), ("--speed", "1")],
)
def test_wrong_arguments_print_the_usage(program: str, words: tuple[str, ...]) -> None:
    done = run(program, *words)
    assert done.returncode == 2
    assert done.stderr.startswith("act [--address ADDRESS]")
