"""The socket of a policy service that clients reach directly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import zmq

from skill_proto.messages import REPLY, Error, Hello, Inbound, Reply, ServiceWelcome
from skill_proto.wire import pack, unpack
from skill_runtime.policy_service.config import ClientServiceConfig
from skill_runtime.policy_service.models import MAX_PATH, ServedModel
from skill_runtime.policy_service.router import ClientService, Supervision
from skill_runtime.policy_service.service import REQUESTS_PER_STEP, PolicyService
from skill_runtime.realtime.clock import ManualClock
from skill_runtime.security.config import ServerSecurity
from skill_runtime.security.door import Door
from skill_runtime.security.keys import new_key_pair
from skill_runtime.transport.options import router_options

PolicyFileFactory = Callable[..., Path]

DEADLINE_MS = 10_000


class Rig:
    """A service at an address inside the process, and one client."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], path: Path, door: Door | None = None
    ) -> None:
        self.ends = True
        self.socket, self.client = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
        for option, value in router_options("").items():
            self.socket.setsockopt(option, value)
        self.socket.rcvtimeo = DEADLINE_MS
        self.client.linger = 0
        self.socket.bind(f"inproc://router-{id(self)}")
        self.client.connect(f"inproc://router-{id(self)}")
        config = ClientServiceConfig(
            models=(("push", path),), listener=(-1, ""), instance="run1", server="test"
        )
        self.clients = ClientService(
            self.socket,
            [ServedModel.open("push", path, "cpu")],
            config,
            Supervision(beat=lambda: None, round=self._round),
            door,
            ManualClock(100.0),
        )

    def _round(self, service: PolicyService) -> bool:
        return self.ends

    def reply(self) -> Reply:
        assert self.client.poll(0), "no reply"
        return unpack(self.client.recv_multipart(), REPLY)[0]

    def ask(self, message: Inbound) -> Reply:
        self.client.send_multipart(pack(message))
        self.clients.step()
        return self.reply()


@pytest.fixture
def rig(make_policy_file: PolicyFileFactory, tmp_path: Path) -> Iterator[Rig]:
    folder = tmp_path / ("a" * 150) / ("b" * 150)
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        context = stack.enter_context(zmq.Context())
        one = Rig(context, make_policy_file(folder))
        stack.callback(one.socket.close)
        stack.callback(one.client.close)
        yield one


def test_a_long_path_is_described_by_its_end(rig: Rig) -> None:
    welcome = rig.ask(Hello(id=3))
    assert isinstance(welcome, ServiceWelcome)
    path = str(rig.clients.service.models["push"].stepper.path)
    assert len(path) > MAX_PATH
    assert welcome.models[0].file == path[-MAX_PATH:]


def test_an_error_of_the_service_itself_is_answered(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: ClientService, message_id: int = 0) -> ServiceWelcome:
        raise ValueError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(ClientService, "describe", broken)
        error = rig.ask(Hello(id=3))
    assert isinstance(error, Error)
    assert (error.code, error.id) == ("internal", 3)
    assert "a bug" in error.message
    assert isinstance(rig.ask(Hello(id=4)), ServiceWelcome)


def test_requests_that_wait_are_answered_at_the_end(rig: Rig) -> None:
    count = 2 * REQUESTS_PER_STEP  # more than the queue of a socket holds are not sent
    for number in range(count):
        rig.client.send_multipart(pack(Hello(id=number)))
    rig.clients.run()
    assert [rig.reply().id for _ in range(count)] == list(range(count))
    assert not rig.client.poll(0)


@pytest.mark.parametrize("frames", [[b"{"], [b"x"] * 100], ids=["no message", "too many frames"])
def test_a_stranger_who_sends_garbage_is_told_no_more_than_that(
    make_policy_file: PolicyFileFactory, tmp_path: Path, frames: list[bytes]
) -> None:
    """A message that came inside the process has no key."""
    path, pair = tmp_path / "authorized_keys", new_key_pair()
    path.touch(mode=0o600)
    security = ServerSecurity(public=pair.public, secret=pair.secret, authorized_keys=path)
    with zmq.Context() as context:
        door = Door(context, security, lambda text: None)
        rig = Rig(context, make_policy_file(tmp_path), door)
        with rig.socket, rig.client:
            rig.client.send_multipart(frames)
            rig.clients.step()
            error = rig.reply()
        assert isinstance(error, Error)
        assert error.code == "forbidden"
        assert door.strangers > 0
