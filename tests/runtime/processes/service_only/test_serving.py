"""A policy service without an arm: real processes, real sockets, real clients."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq
from tests.support.children import children_with
from tests.support.policy_services import serving_policies
from tests.support.served import DEADLINE_S, until

from skill_proto.messages import Act
from skill_proto.wire import pack
from skill_runtime.client import (
    CommandRefusedError,
    ForbiddenError,
    ServerUnreachableError,
    SessionLostError,
)
from skill_runtime.client.policy import PolicyClient
from skill_runtime.policy import PolicyFileError, load_manifest
from skill_runtime.processes.private_folder import ServeError
from skill_runtime.processes.service_only.serving import ServiceOnlyOptions, ServingPolicies
from skill_runtime.security.config import Client, ServerSecurity
from skill_runtime.security.keys import KeyPair, new_key_pair, write_key_file

MODELS = Path(__file__).parents[4] / "models"
GOAL = np.array([[0.1, 0.0]], np.float32)
SKILL = np.array([[1.0, 0.0]], np.float32)
AT_REST = np.zeros((1, 28), np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of a policy, as an operator deploys it."""
    path = tmp_path_factory.mktemp("models")
    shutil.copy(MODELS / "goal_panda.onnx", path / "goal.onnx")
    return path


@pytest.fixture(scope="module")
def serving(folder: Path) -> Iterator[ServingPolicies]:
    models = {"goal": folder / "goal.onnx", "push": MODELS / "csf_panda.onnx"}
    with serving_policies(models) as running:
        yield running


@pytest.fixture
def client(serving: ServingPolicies) -> Iterator[PolicyClient]:
    with PolicyClient(serving.address, timeout_s=DEADLINE_S) as one:
        yield one


def test_the_welcome_lists_the_policies(serving: ServingPolicies, client: PolicyClient) -> None:
    welcome = client.hello()
    assert [model.name for model in welcome.models] == ["goal", "push"]
    assert welcome.models[1].manifest == load_manifest(MODELS / "csf_panda.onnx")
    assert welcome.instance == serving.welcome.instance
    assert {model.device for model in client.models} == {"cpu"}


def test_each_policy_answers_under_its_name(client: PolicyClient) -> None:
    for _ in range(3):
        goal = client.act(AT_REST, session="a", goal=GOAL, model="goal")
        push = client.act(AT_REST, session="a", skill=SKILL, model="push")
    assert goal["action"].shape == push["action"].shape == (1, 3)
    assert "context" in goal
    assert "context" not in push
    with pytest.raises(CommandRefusedError, match="'goal', 'push'"):
        client.act(AT_REST, session="a", goal=GOAL)
    with pytest.raises(CommandRefusedError, match="no model 'x'"):
        client.act(AT_REST, session="a", goal=GOAL, model="x")


def test_a_late_answer_says_so_and_round_trips_are_counted(client: PolicyClient) -> None:
    client.act(AT_REST, session="a", goal=GOAL, model="goal", deadline_s=3600.0)
    assert client.latest is not None
    assert client.latest.late_s == 0
    client.act(AT_REST, session="a", goal=GOAL, model="goal", deadline_s=-1.0)
    assert client.latest.late_s == pytest.approx(1.0, abs=0.9)
    assert (client.round_trips.count, client.round_trips.late) == (2, 1)
    assert client.round_trips.latest_s >= client.latest.inference_s > 0
    assert "2 answers" in str(client.round_trips)


def test_many_rows_in_one_request_equal_single_ones(client: PolicyClient) -> None:
    rows = np.random.default_rng(0).normal(0, 0.1, (64, 28)).astype(np.float32)
    goals = np.repeat(GOAL, 64, axis=0)
    together = client.act(rows, session="all", goal=goals, model="goal")["action"]
    alone = [
        client.act(row[None], session=f"one {i}", goal=GOAL, model="goal")["action"][0]
        for i, row in enumerate(rows[:5])
    ]
    np.testing.assert_allclose(together[:5], alone, atol=2e-6)


def test_no_simulator_is_loaded(serving: ServingPolicies) -> None:
    """Shared libraries of the processes; and the modules, which leave no other trace."""
    code = (
        "import sys, skill_runtime.cli.policies.serve, skill_runtime.processes.service_only.serving"
        ", skill_runtime.processes.service_only.process"
        "; print(*{name.split('.')[0] for name in sys.modules})"
    )
    found = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not {"mujoco", "skill_robots", "pybullet", "torch"} & set(found)
    assert "skill_runtime" in found
    (child,) = children_with("skill_runtime.processes.service_only.process")
    maps = {Path(entry.path).name for entry in child.memory_maps()}
    assert any("onnxruntime" in name for name in maps)
    assert not any("mujoco" in name for name in maps)


def test_a_swap_misses_no_answer_and_keeps_the_sessions(
    serving: ServingPolicies, folder: Path
) -> None:
    shutil.copy(MODELS / "goal_panda.onnx", folder / "next.onnx")
    (folder / "garbage.onnx").write_bytes(b"\x08\x01" + b"garbage" * 1000)
    shutil.copy(MODELS / "csf_panda.onnx", folder / "push.onnx")
    steps: list[int] = []
    ended = threading.Event()

    def ask() -> None:
        with PolicyClient(serving.address, timeout_s=DEADLINE_S) as client:
            while not ended.is_set():
                client.act(AT_REST, session="swapped", goal=GOAL, model="goal")
                assert client.latest is not None
                steps.append(client.latest.steps)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        with PolicyClient(serving.address, timeout_s=DEADLINE_S) as operator:
            for file in ("next.onnx", None, "goal.onnx"):
                swapped = operator.swap("goal", file)
                assert swapped.file == str(folder / (file or "next.onnx"))
            with pytest.raises(CommandRefusedError, match=r"garbage\.onnx"):
                operator.swap("goal", "garbage.onnx")
            with pytest.raises(CommandRefusedError, match=r"no drop-in for 'goal': skill\.kind"):
                operator.swap("goal", "push.onnx")
            with pytest.raises(CommandRefusedError, match="no such file"):
                operator.swap("goal", "absent.onnx")
            assert operator.hello().models[0].file == str(folder / "goal.onnx")
        seen = len(steps)
        until(lambda: len(steps) > seen + 5)
    finally:
        ended.set()
        thread.join(DEADLINE_S)
    assert steps == list(range(1, len(steps) + 1))


def test_a_message_of_many_parts_is_refused_and_others_are_served(
    serving: ServingPolicies, client: PolicyClient
) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.rcvtimeo = round(1000 * DEADLINE_S)
        socket.connect(serving.address)
        for frames in ([b"x"] * 1000, [b"{}"], [b"x" * (4 * 2**20 + 1)]):
            socket.send_multipart(frames)
        replies = [socket.recv() for _ in range(3)]
    assert [b'"code":"too_large"' in reply for reply in replies] == [True, False, True]
    client.act(AT_REST, session="a", goal=GOAL, model="goal")


def test_a_service_that_is_killed_answers_again_and_says_that_the_state_is_lost(
    serving: ServingPolicies,
) -> None:
    with PolicyClient(serving.address, timeout_s=1.0) as client:
        for _ in range(5):
            client.act(AT_REST, session="a", goal=GOAL, model="goal")
        (child,) = children_with("skill_runtime.processes.service_only.process")
        child.kill()
        started = time.monotonic()
        with pytest.raises((ServerUnreachableError, SessionLostError)):
            client.act(AT_REST, session="a", goal=GOAL, model="goal")
        assert time.monotonic() - started < DEADLINE_S
        lost = False
        while time.monotonic() < started + DEADLINE_S and not lost:
            try:
                client.act(AT_REST, session="a", goal=GOAL, model="goal")
            except ServerUnreachableError:
                continue
            except SessionLostError:
                lost = True
        client.act(AT_REST, session="a", goal=GOAL, model="goal")


def test_a_request_for_the_process_before_a_restart_is_refused_and_has_no_effect(
    serving: ServingPolicies,
) -> None:
    with PolicyClient(serving.address, timeout_s=DEADLINE_S) as client:
        before = client.hello().instance
    (child,) = children_with("skill_runtime.processes.service_only.process")
    child.kill()
    with PolicyClient(serving.address, timeout_s=DEADLINE_S) as client:
        after = client.hello().instance
    assert after != before
    assert after.split("-")[0] == before.split("-")[0]
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.rcvtimeo = round(1000 * DEADLINE_S)
        socket.connect(serving.address)
        message = Act(session="old", model="goal", instance=before)
        socket.send_multipart(pack(message))
        assert b'"code":"wrong_server"' in socket.recv()


def test_a_file_that_is_no_policy_is_named_before_anything_is_served(tmp_path: Path) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no model")
    options = ServiceOnlyOptions(models=(("bad", bad),), address="tcp://127.0.0.1:*", server="test")
    with ServingPolicies(options, print) as serving, pytest.raises(ServeError) as caught:
        serving.start()
    assert str(bad) in str(caught.value)
    assert not caught.value.may_pass
    with pytest.raises(PolicyFileError):
        load_manifest(bad)


def keyed(tmp_path: Path, roles: dict[str, str]) -> tuple[ServerSecurity, dict[str, str]]:
    """Returns the keys of a server, and the key files of clients with these roles."""
    server = new_key_pair()
    pairs: dict[str, KeyPair] = {name: new_key_pair() for name in roles}
    for name, pair in pairs.items():
        write_key_file(tmp_path / f"{name}.key", pair)
    path = tmp_path / "authorized_keys"
    lines = [str(Client(pairs[n].public, n, frozenset({role}))) for n, role in roles.items()]  # type: ignore[arg-type]
    path.write_text("\n".join(lines))
    path.chmod(0o600)
    security = ServerSecurity(public=server.public, secret=server.secret, authorized_keys=path)
    return security, {name: str(tmp_path / f"{name}.key") for name in roles}


def test_with_keys_each_message_needs_its_role(tmp_path: Path) -> None:
    roles = {"robot": "service", "operator": "controller"}
    security, keys = keyed(tmp_path, roles)
    with serving_policies({"push": MODELS / "csf_panda.onnx"}, security) as serving:

        def connected(name: str) -> PolicyClient:
            return PolicyClient(
                serving.address, timeout_s=DEADLINE_S, key=keys[name], server_key=security.public
            )

        with connected("robot") as robot, connected("operator") as operator:
            assert robot.act(AT_REST, session="a", skill=SKILL)["action"].shape == (1, 3)
            with pytest.raises(ForbiddenError, match="'swap' needs"):
                robot.swap("push")
            with pytest.raises(ForbiddenError, match="'act' needs"):
                operator.act(AT_REST, session="a", skill=SKILL)
            assert operator.swap("push").model == "push"
            security.authorized_keys.write_text("")
            with pytest.raises(ForbiddenError, match="revoked"):
                robot.act(AT_REST, session="a", skill=SKILL)
