"""The stop listener as a process of its own."""

from __future__ import annotations

import json
import os
import pickle
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing

import psutil
import pytest
import zmq
from tests.support.served import DEADLINE_S, until

from skill_proto.messages import REPLY
from skill_proto.shared_memory.memory import create_memory, map_memory
from skill_runtime.channel.stop_requests import BYTES, OFFSET, StopRequests
from skill_runtime.channel.wakeup import Wakeup
from skill_runtime.security.config import ServerSecurity
from skill_runtime.transport.listeners import Listener, _listen_port

INSTANCE = "this"

IMPORTS = """
import json, sys
before = set(sys.modules)
import skill_runtime.stop_listener.__main__
print(json.dumps(sorted(set(sys.modules) - before)))
"""

ALLOWED = {
    *("skill_proto", "skill_proto.shared_memory", "skill_proto.shared_memory.memory"),
    "skill_proto.shared_memory.seqlock",
    *("skill_runtime", "skill_runtime.channel"),
    *("skill_runtime.channel.stop_requests", "skill_runtime.channel.wakeup"),
    *("skill_runtime.realtime", "skill_runtime.realtime.clock", "skill_runtime.realtime.limits"),
    *("skill_runtime.realtime.cpus", "skill_runtime.realtime.scheduling"),
    *("skill_runtime.stop_listener", "skill_runtime.stop_listener.__main__"),
    "skill_runtime.stop_listener.listener",
    *("skill_runtime.security", "skill_runtime.security.authorized_keys"),
    *("skill_runtime.security.config", "skill_runtime.security.door"),
    *("skill_runtime.security.keys", "skill_runtime.security.roles"),
    *("skill_runtime.transport", "skill_runtime.transport.options"),
    *("skill_runtime.transport.sockets", "skill_runtime.transport.topics", "skill_proto.topics"),
}


def test_it_imports_the_standard_library_zmq_and_these_modules() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True
    )
    loaded: list[str] = json.loads(done.stdout)
    assert {name for name in loaded if name.startswith("skill_")} == ALLOWED
    others = {name.partition(".")[0] for name in loaded} - {"skill_proto", "skill_runtime"}
    compiled = {name for name in others if "cython" in name}  # of zmq
    assert others - sys.stdlib_module_names - compiled == {"zmq"}


class Running:
    """A process, and the controller's end of its memory and wakeups.

    Args:
        security: Keys of the server; None admits every connection.
    """

    def __init__(self, security: ServerSecurity | None = None) -> None:
        self.security = security
        self.memory = create_memory(OFFSET + BYTES)
        self.stops = StopRequests(map_memory(self.memory)[OFFSET:])
        self.controller, self.own = Wakeup.create(), Wakeup.create()
        self.listening: Listener = _listen_port("127.0.0.1:*")
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """Starts a process on the same memory and the same listening socket."""
        listening = self.listening.socket.fileno()
        descriptors = (self.memory, listening, *self.controller, self.own.reader)
        with tempfile.TemporaryFile() as config:
            pickle.dump(self.security, config)
            config.seek(0)
            return subprocess.Popen(
                [
                    *(sys.executable, "-m", "skill_runtime.stop_listener"),
                    *(*map(str, descriptors), self.listening.address, INSTANCE),
                ],
                stdin=config,
                pass_fds=descriptors,
            )

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.listening.close()
        self.controller.close()
        self.own.close()
        os.close(self.memory)


@pytest.fixture
def running() -> Iterator[Running]:
    with closing(Running()) as running:
        until(lambda: running.stops.beat_ns > 0)
        yield running


@pytest.fixture
def client(running: Running) -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as client:
        client.linger = 0
        client.connect(running.listening.address)
        yield client


def test_a_stop_wakes_the_controller_which_wakes_the_listener(
    running: Running, client: zmq.Socket[bytes]
) -> None:
    client.send(b'{"type":"stop","id":5,"reason":"smoke"}')
    assert select.select([running.controller.reader], [], [], DEADLINE_S)[0]
    assert (running.stops.requested, running.stops.reason) == (1, "smoke")
    assert not client.poll(100)  # the controller has not stopped yet
    running.stops.executed = 1
    running.own.wake()
    assert client.poll(1e3 * DEADLINE_S)
    reply = REPLY.validate_json(client.recv())
    assert (reply.type, reply.id, reply.instance) == ("ok", 5, INSTANCE)


def test_it_beats_with_its_process_id(running: Running) -> None:
    assert running.stops.pid == running.process.pid
    beat = running.stops.beat_ns
    until(lambda: running.stops.beat_ns > beat)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_of_the_terminal_do_not_end_it(running: Running, number: signal.Signals) -> None:
    running.process.send_signal(number)
    beat = running.stops.beat_ns
    until(lambda: running.stops.beat_ns > beat)
    assert running.process.poll() is None


def test_a_message_without_end_ends_it_and_the_next_one_serves_the_same_port(
    running: Running, client: zmq.Socket[bytes]
) -> None:
    for _ in range(150_000):
        client.send(b"x", zmq.SNDMORE)
    client.send(b"x")
    assert running.process.wait(DEADLINE_S) == 1
    assert running.stops.blocked
    before = running.stops.requested
    assert before > 0
    running.process = running.start()
    until(lambda: not running.stops.blocked)
    with zmq.Context() as context, context.socket(zmq.DEALER) as another:
        another.linger = 0
        another.connect(running.listening.address)
        another.send(b'{"type":"stop"}')
        until(lambda: running.stops.requested > before)


def test_it_is_small(running: Running) -> None:
    assert psutil.Process(running.process.pid).memory_info().rss < 40e6
