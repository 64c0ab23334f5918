"""The process of the policy service: its socket, its heartbeat, and the shipped models."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import zmq
from tests.runtime.policy_service.gateway_end import INSTANCE, GatewayEnd, stacked
from tests.support.served import DEADLINE_S, until

from skill_proto.arrays import FloatArray
from skill_proto.manifest import PolicyManifest
from skill_proto.messages import Acted
from skill_runtime.policy import PolicyFileError, load_manifest
from skill_runtime.policy_service.config import MAX_ROWS, PolicyServiceConfig
from skill_runtime.policy_service.process import MAX_QUEUED_MESSAGES, serve

MODELS = Path(__file__).parents[3] / "models"
NAMES = ["csf_panda", "goal_panda", "saccm_panda"]


@dataclass
class Heart:
    """Heartbeats of a service."""

    times: list[float] = field(default_factory=list[float])

    def beat(self) -> None:
        self.times.append(time.monotonic())


@contextmanager
def serving(model: Path, address: str, heart: Heart | None = None) -> Iterator[None]:
    """Runs the service in a thread until the end of the block."""
    ending = threading.Event()
    config = PolicyServiceConfig(model=model, address=address, instance=INSTANCE)
    heart = heart or Heart()
    thread = threading.Thread(
        target=serve, args=(config,), kwargs={"beat": heart.beat, "ending": ending.is_set}
    )
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayEnd]:
    with zmq.Context() as context:
        end = GatewayEnd(context, f"ipc://{tmp_path}/act")
        yield end
        end.socket.close()


def ask(gateway: GatewayEnd, session: str, **arrays: FloatArray) -> dict[str, FloatArray]:
    gateway.send(session, **arrays)
    received = gateway.receive()
    assert isinstance(received.reply, Acted), received.reply
    return received.arrays


def command(manifest: PolicyManifest, rows: int) -> dict[str, FloatArray]:
    if manifest.skill.size:
        return {"skill": np.tile([0.6, 0.8], (rows, 1))}
    return {"goal": np.full((rows, manifest.goal_size), 0.1)}


# The shipped models ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_two_sessions_in_turn_equal_two_services(name: str, tmp_path: Path) -> None:
    model = MODELS / f"{name}.onnx"
    manifest = load_manifest(model)
    draw = np.random.default_rng(1)
    observations = draw.normal(0, 0.1, (2, 60, 3, manifest.observation_size)).astype(np.float32)
    given = command(manifest, 3)
    with zmq.Context() as context:
        both = GatewayEnd(context, f"ipc://{tmp_path}/both")
        alone = [GatewayEnd(context, f"ipc://{tmp_path}/alone{number}") for number in range(2)]
        with (
            serving(model, both.address),
            serving(model, alone[0].address),
            serving(model, alone[1].address),
        ):
            for end in (both, *alone):
                assert end.parts() == [b"", b"ready"]
            for step in range(60):
                for robot, end in enumerate(alone):
                    arrays = {"observation": observations[robot, step], **given}
                    expected = ask(end, "s", **arrays)
                    results = ask(both, f"robot {robot}", **arrays)
                    assert results.keys() == expected.keys()
                    for key, array in expected.items():
                        assert (results[key] == array).all(), (step, key)
        for end in (both, *alone):
            end.socket.close()


@pytest.mark.parametrize("name", NAMES)
def test_robots_in_one_session_equal_robots_in_sessions_of_their_own(
    name: str, gateway: GatewayEnd
) -> None:
    model = MODELS / f"{name}.onnx"
    manifest = load_manifest(model)
    draw = np.random.default_rng(2)
    with serving(model, gateway.address):
        assert gateway.parts() == [b"", b"ready"]
        for _ in range(60):
            observation = draw.normal(0, 0.1, (4, manifest.observation_size))
            together = ask(gateway, "all", observation=observation, **command(manifest, 4))
            for row in range(4):
                gateway.send(
                    str(row), observation=observation[row : row + 1], **command(manifest, 1)
                )
            alone = stacked([gateway.receive() for _ in range(4)], "action")[:, 0]
            np.testing.assert_allclose(alone, together["action"], atol=1e-5)


def test_only_the_direction_of_a_skill_counts(gateway: GatewayEnd) -> None:
    observation = np.random.default_rng(3).normal(0, 0.1, (1, 28)).astype(np.float32)
    with serving(MODELS / "csf_panda.onnx", gateway.address):
        assert gateway.parts() == [b"", b"ready"]
        actions = {
            length: ask(gateway, str(length), observation=observation, skill=np.array([skill]))
            for length, skill in {1: [0.6, 0.8], 5: [3.0, 4.0], 500: [300.0, 400.0]}.items()
        }
        other = ask(gateway, "other", observation=observation, skill=np.array([[0.8, 0.6]]))
        gateway.send(observation=observation, skill=np.zeros((1, 2)))
        assert gateway.receive().code == "invalid"
    assert (actions[5]["action"] == actions[1]["action"]).all()
    assert (actions[500]["action"] == actions[1]["action"]).all()
    assert (other["action"] != actions[1]["action"]).any()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [1e38, -3e38])
def test_a_huge_number_is_never_an_internal_error(
    name: str, value: float, gateway: GatewayEnd
) -> None:
    model = MODELS / f"{name}.onnx"
    manifest = load_manifest(model)
    usual = np.zeros((1, manifest.observation_size), np.float32)
    with serving(model, gateway.address):
        assert gateway.parts() == [b"", b"ready"]
        ask(gateway, "s", observation=usual, **command(manifest, 1))
        gateway.send("s", observation=usual + np.float32(value), **command(manifest, 1))
        assert gateway.receive().code in ("", "invalid")
        for array in ask(gateway, "s", observation=usual, **command(manifest, 1)).values():
            assert np.isfinite(array).all()


def test_a_goal_rounded_at_the_bound_equals_the_bound(gateway: GatewayEnd) -> None:
    observation = np.zeros((1, 28))
    with serving(MODELS / "goal_panda.onnx", gateway.address):
        assert gateway.parts() == [b"", b"ready"]
        exact = ask(gateway, "a", observation=observation, goal=np.array([[0.1, -0.15]]))
        single = np.array([[0.1, -0.15]], np.float32)
        assert (
            ask(gateway, "b", observation=observation, goal=single)["action"] == exact["action"]
        ).all()
        gateway.send(observation=observation, goal=np.array([[5.0, 5.0]]))
        assert gateway.receive().code == "invalid"


# The socket and the heartbeat -----------------------------------------------------------------


def test_an_idle_service_beats_and_ends_when_asked(policy_file: Path, gateway: GatewayEnd) -> None:
    heart = Heart()
    with serving(policy_file, gateway.address, heart):
        assert gateway.parts() == [b"", b"ready"]
        first = len(heart.times)
        until(lambda: len(heart.times) > first + 50)
    gaps = np.diff(heart.times[first : first + 50])
    assert np.median(gaps) < 0.02  # the machine may be busy for single ones


def test_a_policy_that_cannot_be_opened_is_reported_first(
    tmp_path: Path, gateway: GatewayEnd
) -> None:
    config = PolicyServiceConfig(
        model=tmp_path / "gone.onnx", address=gateway.address, instance=INSTANCE
    )
    with pytest.raises(PolicyFileError):
        serve(config, beat=lambda: None, ending=lambda: False)
    sender, word, reason = gateway.parts()
    assert (sender, word) == (b"", b"failed")
    assert b"gone.onnx" in reason


def test_the_service_outlives_a_gateway_that_goes_and_comes_back(
    policy_file: Path, tmp_path: Path
) -> None:
    arrays = {"observation": np.zeros((1, 28)), "skill": np.array([[1.0, 0.0]])}
    with zmq.Context() as context, serving(policy_file, f"ipc://{tmp_path}/act"):
        for run in range(3):
            gateway = GatewayEnd(context, f"ipc://{tmp_path}/act")
            if not run:
                assert gateway.parts() == [b"", b"ready"]
            # An explicit episode is known to every connection, also to those of a later gateway.
            gateway.send(sender=b"client of run %d" % run, episode=0, **arrays)
            received = gateway.receive()
            assert isinstance(received.reply, Acted)
            assert received.reply.steps == run + 1
            gateway.socket.close()


def test_after_a_restart_of_the_service_the_age_starts_again(
    policy_file: Path, gateway: GatewayEnd
) -> None:
    arrays = {"observation": np.zeros((1, 28)), "skill": np.array([[1.0, 0.0]])}
    ages: list[int] = []
    for _ in range(2):
        with serving(policy_file, gateway.address):
            assert gateway.parts() == [b"", b"ready"]
            for _ in range(2):
                gateway.send(episode=5, **arrays)
                received = gateway.receive()
                assert isinstance(received.reply, Acted)
                ages.append(received.reply.steps)
    assert ages == [1, 2, 1, 2]


def test_the_configuration_loads_no_onnx_runtime() -> None:
    """The programs that only start the service stay small."""
    program = (
        "import sys; import skill_runtime.policy_service.config; "
        "assert 'onnxruntime' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=DEADLINE_S)


def test_a_gateway_that_does_not_read_does_not_block_the_service(
    policy_file: Path, tmp_path: Path
) -> None:
    arrays = {"observation": np.zeros((256, 28)), "skill": np.tile([1.0, 0.0], (256, 1))}
    with zmq.Context() as context:
        gateway = GatewayEnd(context, f"ipc://{tmp_path}/act")
        gateway.socket.setsockopt(zmq.RCVHWM, 1)
        heart = Heart()
        with serving(policy_file, gateway.address, heart):
            assert gateway.parts() == [b"", b"ready"]
            for _ in range(8 * MAX_QUEUED_MESSAGES):
                gateway.send(**arrays)
            first = len(heart.times)
            until(lambda: len(heart.times) > first + 20)

            def is_answered() -> bool:
                gateway.send("last", message_id=9, **arrays)
                received: list[int] = []
                while gateway.socket.poll(50):
                    received.append(gateway.receive().reply.id)
                return 9 in received

            until(is_answered)  # as soon as the gateway reads again
        gateway.socket.close()


def test_a_request_may_have_every_row_of_the_service(gateway: GatewayEnd) -> None:
    with serving(MODELS / "csf_panda.onnx", gateway.address):
        assert gateway.parts() == [b"", b"ready"]
        observation = np.zeros((MAX_ROWS, 28))
        skill = np.tile([3, 4.0], (MAX_ROWS, 1))
        results = ask(gateway, "s", observation=observation, skill=skill)
        assert results["action"].shape == (MAX_ROWS, 3)
