"""The examples run against a real server."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.served import Served

from skill_runtime.client import SkillClient

EXAMPLES = Path(__file__).parents[2] / "examples"
README = EXAMPLES.parent / "README.md"


def run(name: str, *words: str) -> str:
    """Returns the output of an example; an error fails the test."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("name", ["steer.py", "raw_client.py"])
def test_the_example_moves_the_arm_and_lets_it_hold(client: SkillClient, name: str) -> None:
    before = client.state()
    out = run(name, "--address", client.address, "--seconds", "1.5")
    assert "cube at" in out
    client.hello()
    after = client.state()
    assert (after.mode, after.lease_holder) == ("hold", None)
    assert after.command_seq > 3
    assert after.counters.get("lease_lost", 0) == 0
    assert not [name for name in after.counters if name.startswith("rejected")]
    assert after.end_effector_position != before.end_effector_position


def quickstart() -> str:
    """Returns the code of the quickstart without its docstring."""
    text = (EXAMPLES / "quickstart.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 15
    return text[text.index("from skill_runtime") :]


def test_the_quickstart_pushes_the_cube(client: SkillClient) -> None:
    code = quickstart().replace("SkillClient()", f"SkillClient({client.address!r})")
    assert client.address in code
    subprocess.run([sys.executable, "-W", "error", "-c", code], timeout=60, check=True)
    client.hello()
    state = client.state()
    assert (state.objects["cube"].position[1] or 0.0) >= 0.19
    assert (state.mode, state.lease_holder) == ("hold", None)


def test_the_readme_shows_the_quickstart() -> None:
    assert quickstart() in README.read_text(encoding="utf-8")


def test_every_example_is_in_the_index() -> None:
    index = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    names = [path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".service")]
    assert not [name for name in [*names, "cpp/README.md"] if f"({name})" not in index]


def test_adapting_changes_the_object_and_prints_true_and_estimated_parameters(
    serve: Callable[[Path], Served], goal_file: Path
) -> None:
    served = serve(goal_file)
    with SkillClient(served.address, timeout_s=10.0) as client:
        before = client.state().scene
        changes = ("--friction", "0.1", "--mass", "0.9")
        out = run("adapt.py", "--address", served.address, "--seconds", "6", *changes)
        client.hello()
        assert client.state().scene == before
    first, *_, last = out.splitlines()
    assert "friction 0.1 " not in first
    assert "true: mass 0.9, friction 0.1 " in last
    assert "estimate: cube_mass " in last
    assert "distance " in last


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--friction", "99"), 2, "--friction: takes a number from 0.001 to 10, got 99"),
        (("--mass", "-1"), 2, "--mass: takes a number from 0.001 to 100, got -1"),
        (("--mass", "heavy"), 2, "--mass: invalid number value: 'heavy'"),
        ((), 1, "push_by_hand does not pursue goals with a context encoder"),
    ],
)
def test_impossible_arguments_of_adapting_are_explained(
    served: Served, words: tuple[str, ...], code: int, said: str
) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "adapt.py"), "--address", served.address, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert code == 2 or "serve models/goal_panda.onnx" in done.stderr


def test_the_raw_client_prints_the_refusal(client: SkillClient) -> None:
    with client.acquire("the other one"):
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / "raw_client.py"), "--address", client.address],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert "lease_held: 'the other one' holds the lease" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["steer.py", "raw_client.py", "adapt.py", "servo.py"])
def test_without_a_server_the_example_prints_the_address(name: str) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), "--address", "tcp://127.0.0.1:1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "no answer from tcp://127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_raw_client_does_not_import_this_project() -> None:
    tree = ast.parse((EXAMPLES / "raw_client.py").read_text(encoding="utf-8"))
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add((node.module or "").split(".")[0])
    assert modules - set(sys.stdlib_module_names) == {"zmq"}


def test_steering_has_at_most_60_lines() -> None:
    lines = (EXAMPLES / "steer.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 60
