"""A gateway on real sockets, and the test in the place of the controller."""

from __future__ import annotations

import json
from typing import Any, cast

import zmq
from tests.support.served import DEADLINE_S

from skill_proto.messages import TELEMETRY, Message, Telemetry
from skill_proto.topics import TOPICS
from skill_runtime.channel.channel import Channel, Word
from skill_runtime.channel.messages import COMMANDS, REPLIES
from skill_runtime.channel.state_layout import INTEGERS
from skill_runtime.channel.state_record import MODES
from skill_runtime.gateway.config import GatewayConfig
from skill_runtime.gateway.gateway import Gateway
from skill_runtime.realtime.clock import ManualClock
from skill_runtime.transport.interfaces import DealerSocket
from skill_runtime.transport.options import router_options
from skill_runtime.transport.topics import Topics

DEADLINE_MS = 1e3 * DEADLINE_S

Socket = zmq.Socket[bytes]


class Sockets:
    """The sockets of a gateway, at addresses inside the process."""

    def __init__(self, context: zmq.Context[Socket], act: DealerSocket | None = None) -> None:
        self.commands, self.telemetry = context.socket(zmq.ROUTER), context.socket(zmq.XPUB)
        self.telemetry.setsockopt(zmq.XPUB_MANUAL, 1)
        self.topics = Topics(self.telemetry, TOPICS)
        for option, value in router_options("").items():
            self.commands.setsockopt(option, value)
        self.commands.bind(f"inproc://commands-{id(self)}")
        self.telemetry.bind(f"inproc://telemetry-{id(self)}")
        self.act = act


class Client:
    """A client of a gateway."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.socket = rig.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(f"inproc://commands-{id(rig.sockets)}")

    def send(self, **fields: object) -> None:
        self.socket.send(json.dumps({"v": 1, "id": 7, **fields}).encode())

    def send_frames(self, *frames: bytes) -> None:
        self.socket.send_multipart(frames)

    def reply(self) -> dict[str, Any]:
        """Returns the reply that has arrived."""
        assert self.socket.poll(0), "no reply"
        return json.loads(self.socket.recv())

    def ask(self, **fields: object) -> dict[str, Any]:
        """Sends a message that the gateway itself answers."""
        self.send(**fields)
        self._rig.gateway.step()
        return self.reply()

    def ask_frames(self, *frames: bytes) -> dict[str, Any]:
        self.send_frames(*frames)
        self._rig.gateway.step()
        return self.reply()


class Rig:
    """A gateway; messages arrive at once, and time passes only if the test says so."""

    def __init__(self, config: GatewayConfig, act: DealerSocket | None = None) -> None:
        self.context: zmq.Context[Socket] = zmq.Context()
        self.config = config
        self.act = act
        self.channel = Channel.in_process()
        self.clock = ManualClock(50.0)
        self.wakes = 0
        self._kept: list[object] = []
        self.start()

    def start(self) -> None:
        """Starts a gateway on the same memory, as the supervisor does."""
        self.channel.words[Word.GATEWAY_STARTS] += 1
        self.sockets = Sockets(self.context, self.act)
        self._kept.append(self.sockets)
        self.gateway = Gateway(self.sockets, self.channel, self.config, self._wake, self.clock)

    def _wake(self) -> None:
        self.wakes += 1

    def client(self) -> Client:
        client = Client(self)
        self._kept.append(client)
        return client

    def subscriber(self) -> Socket:
        """Returns a subscriber to telemetry that hears every message from now on."""
        subscriber = self.context.socket(zmq.SUB)
        self._kept.append(subscriber)
        subscriber.subscribe(b"")
        subscriber.connect(f"inproc://telemetry-{id(self.sockets)}")
        while not subscriber.poll(5):
            self.sockets.topics.accept()
            self.sockets.telemetry.send(b"{", zmq.NOBLOCK)
        while subscriber.poll(0):
            subscriber.recv()
        return subscriber

    # The controller -----------------------------------------------------------------------------

    def write_state(
        self,
        mode: str = "hold",
        *,
        holder: str = "",
        lease: str = "",
        age_s: float = 0.0,
        counters: dict[str, int] | None = None,
        last_event: str = "started",
        **integers: int,
    ) -> None:
        """Writes a state that is this old [s]."""
        layout = self.config.layout
        blocks = {
            name: [0.0] * layout.blocks[name]
            for name in (
                *("joint_position", "joint_velocity", "joint_setpoint", "gripper_width"),
                *("end_effector_position", "end_effector_velocity", "timing"),
            )
        }
        none = dict.fromkeys(("fault", "command", "goal_status"), -1)
        self.channel.state.write(
            layout.pack(
                dict.fromkeys(INTEGERS[1:], 0)
                | none
                | {"mode": MODES.index(cast("Any", mode))}
                | integers,
                [0] * layout.latency_buckets,
                counters or {},
                blocks | {"time": [self.clock.now() - age_s]},
                {
                    **{"lease": lease, "lease_holder": holder},
                    **{"last_event": last_event, "last_reflex": ""},
                },
            )
        )

    def commands(self) -> list[tuple[int, Message]]:
        """Removes and returns the commands that wait for the controller."""
        found: list[tuple[int, Message]] = []
        while (record := self.channel.commands.get()) is not None:
            found.append(COMMANDS.decode(record))
        return found

    def reply(self, request: int, message: Message) -> None:
        assert self.channel.replies.put(REPLIES.encode(message, request))

    def published(self, subscriber: Socket) -> Telemetry:
        """Steps the gateway; returns the telemetry that it publishes, which is valid."""
        self.gateway.step()
        assert subscriber.poll(0), "no telemetry"
        telemetry = TELEMETRY.validate_json(subscriber.recv(), strict=True)
        assert not subscriber.poll(0)
        return telemetry

    def close(self) -> None:
        self.context._warn_destroy_close = False
        self.context.destroy(linger=0)
