"""The distributions, installed outside the repository and used.

The environment of the client is empty: pip fetches its three dependencies. The server's borrows
its dependencies from the environment of the tests, since the inference engine alone takes 340 MB;
``python -m benchmarks.install`` installs them all.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.packages.conftest import Distributions
from tests.support.environments import (
    borrow_dependencies,
    install,
    make_environment,
    other_python,
    output,
    uninstall,
)
from tests.support.served import DEADLINE_S
from tests.support.served_process import free_ports

pytestmark = pytest.mark.slow

MOVE = """
import sys, time
from skill_runtime.client import ClientError, SkillClient

with SkillClient(sys.argv[1], timeout_s=2.0) as client:
    ends = time.monotonic() + 60
    while True:
        try:
            client.hello()
            break
        except ClientError:
            assert time.monotonic() < ends, "the server does not answer"
    with client.acquire("test", ttl_s=10.0):
        start = client.state().end_effector_position
        while True:
            client.skill((1.0, 0.0), valid_for_s=0.5)
            here = client.state().end_effector_position
            if sum((a - b) ** 2 for a, b in zip(here, start)) > 0.02**2:
                break
            assert time.monotonic() < ends, "the arm does not move"
            time.sleep(0.05)
heavy = {"mujoco", "onnxruntime", "tyro", "skill_robots"} & set(sys.modules)
assert not heavy, heavy
print("moved")
"""

IMPORT_ALL = """
import pkgutil, importlib, skill_proto, skill_runtime
for package in (skill_proto, skill_runtime):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
print(skill_runtime.__file__)
"""


@pytest.fixture(scope="module")
def server_python(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    python = make_environment(tmp_path_factory.mktemp("server") / "environment")
    install(python, "--no-deps", str(distributions.serve_wheel))
    borrow_dependencies(python)
    return python


@pytest.fixture(scope="module")
def client_python(distributions: Distributions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    python = make_environment(tmp_path_factory.mktemp("client") / "environment")
    install(python, str(distributions.client_wheel))
    return python


@pytest.fixture
def server(server_python: Path, tmp_path: Path) -> Iterator[str]:
    """Yields the address of an installed server, started without any model or path."""
    port = free_ports()
    command = [server_python.parent / "skill-serve", "--port", str(port)]
    running = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield f"tcp://127.0.0.1:{port}"
        running.send_signal(signal.SIGTERM)
        said, _ = running.communicate(timeout=DEADLINE_S)
    finally:
        if running.poll() is None:
            running.kill()
            running.communicate()
    assert running.returncode == 0, said
    assert "policy     csf_panda" in said
    assert "csf_panda is the default; others: " in said


def test_the_client_alone_moves_the_arm_of_an_installed_server(
    server: str, client_python: Path, tmp_path: Path
) -> None:
    assert output(client_python, "-c", MOVE, server, folder=tmp_path) == "moved"


def test_every_module_of_the_client_can_be_imported_alone(
    client_python: Path, tmp_path: Path
) -> None:
    where = output(client_python, "-c", IMPORT_ALL, folder=tmp_path)
    assert where.startswith(str(client_python.parents[1]))
    packages = output(
        client_python,
        "-c",
        "import importlib.metadata as m\nprint(*sorted(d.name.lower() for d in m.distributions()))",
    )
    assert {"numpy", "pydantic", "pyzmq", "skill-client"} < set(packages.split())
    assert not {"mujoco", "tyro", "onnxruntime-gpu"} & set(packages.split())


def test_the_installed_models_are_listed_from_every_folder(
    server_python: Path, tmp_path: Path
) -> None:
    said = output(server_python.parent / "skill-serve", "--list-models", folder=tmp_path)
    for model in ("csf_panda", "goal_panda", "csf_ant"):
        assert f"  {model} " in said


def test_both_fit_into_one_environment_and_either_can_leave_it(
    server_python: Path, distributions: Distributions, tmp_path: Path
) -> None:
    where = "import skill_runtime.client, skill_runtime.server; print(skill_runtime.__file__)"
    alone = output(server_python, "-c", where, folder=tmp_path)
    install(server_python, "--no-deps", str(distributions.client_wheel))
    assert output(server_python, "-c", where, folder=tmp_path) == alone
    uninstall(server_python, "skill-client")
    assert output(server_python, "-c", where, folder=tmp_path) == alone


def test_the_client_can_be_imported_by_a_newer_python(
    distributions: Distributions, tmp_path: Path
) -> None:
    command = other_python("3.13")
    if command is None:
        pytest.skip("there is no Python 3.13")
    python = make_environment(tmp_path / "environment", command)
    install(python, str(distributions.client_wheel))
    assert "skill_client_packages" in output(python, "-c", IMPORT_ALL, folder=tmp_path)
