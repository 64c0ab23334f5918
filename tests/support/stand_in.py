"""A small server on real sockets in place of skill-serve: its instance is chosen by the test.

It grants the lease, refuses messages that are meant for another instance, publishes telemetry and
latches a stop. It moves no arm.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

import zmq
from pydantic import BaseModel
from tests.support.policy_files import push_manifest

from skill_proto.messages import (
    COMMAND,
    Acquire,
    Act,
    Acted,
    ArraySpec,
    Error,
    Granted,
    Hello,
    Ok,
    Release,
    Renew,
    Stop,
    Telemetry,
    Timing,
    Welcome,
)

PERIOD_S = 0.01
"""Time between two states [s]."""

Override = Callable[[Any], BaseModel | None]
"""Returns the reply to a command; None for that of the stand-in itself."""


def bind(socket: zmq.Socket[bytes], port: int) -> int:
    """Binds a socket to a port, or to a free one if 0; waits until a former owner has left it."""
    ends = time.monotonic() + 10.0
    while True:
        try:
            socket.bind(f"tcp://127.0.0.1:{port or '*'}")
        except zmq.ZMQError:
            assert time.monotonic() < ends
            time.sleep(0.01)
        else:
            return int(socket.last_endpoint.decode().rpartition(":")[2])


class StandIn:
    """The server, in a thread until it is closed.

    Args:
        instance: Name of this run; empty for a server of an earlier version.
        ports: Ports for commands, telemetry and stops; 0 for a free one.
        named: Addresses for telemetry and stops that the welcome names, if not its own.

    Attributes:
        instance: as given.
        ports: the bound ports for commands, telemetry and stops.
        address, telemetry_address, stop_address: its sockets.
        heard: commands received.
        stops: stops received, refused ones included.
        mode: published mode.
        holder: holder of the lease; None if it is free.
        renewed_at: time of the last renewal, by ``time.monotonic`` [s].
        override: computes replies in place of the stand-in.
        answers: whether the commands socket is read.
        replies: whether commands are replied to.
        publishes: whether telemetry is sent.
    """

    def __init__(
        self,
        instance: str,
        *,
        ports: tuple[int, int, int] = (0, 0, 0),
        named: tuple[str, str] = ("", ""),
        override: Override | None = None,
    ) -> None:
        self.instance = instance
        self.heard: list[Any] = []
        self.stops: list[Stop] = []
        self.mode = "hold"
        self.holder: str | None = None
        self.renewed_at = 0.0
        self.override = override or (lambda message: None)
        self.answers = self.publishes = self.replies = True
        self._token, self._ttl_s, self._why = "", 0.0, "the token is unknown"
        self._seq = 0
        self._context = zmq.Context()
        kinds = (zmq.ROUTER, zmq.PUB, zmq.ROUTER)
        self._sockets = [self._context.socket(kind) for kind in kinds]
        for socket in self._sockets:
            socket.linger = 0
        self.ports = tuple(bind(s, p) for s, p in zip(self._sockets, ports, strict=True))
        addresses = [f"tcp://127.0.0.1:{port}" for port in self.ports]
        self.address, self.telemetry_address, self.stop_address = addresses
        self._named = (named[0] or addresses[1], named[1] or addresses[2])
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"stand-in {instance}")
        self._thread.start()

    @property
    def kinds(self) -> list[str]:
        """Types of the commands received."""
        return [message.type for message in self.heard]

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        commands, publisher, stops = self._sockets
        due = time.monotonic()
        while not self._ended.is_set():
            if stops.poll(1):
                sender, *frames = stops.recv_multipart()
                stops.send_multipart([sender, self._dump(self._on_stop(frames[0]))])
            if self.answers and commands.poll(1):
                sender, *frames = commands.recv_multipart()
                self._answer(commands, sender, frames)
            if self.publishes and time.monotonic() >= due:
                due = time.monotonic() + PERIOD_S
                self._seq += 1
                publisher.send(self._dump(self.state()))
        for socket in self._sockets:
            socket.close()
        self._context.term()

    def _answer(self, socket: zmq.Socket[bytes], sender: bytes, frames: list[bytes]) -> None:
        message = COMMAND.validate_json(frames[0])
        self.heard.append(message)
        reply = self._on_command(message)
        if reply is not None and self.replies:
            reply = reply.model_copy(update={"id": message.id})
            arrays = [bytes(12)] if isinstance(reply, Acted) else []
            socket.send_multipart([sender, self._dump(reply), *arrays])

    def _dump(self, message: BaseModel) -> bytes:
        instance = getattr(message, "instance", "") or self.instance
        return message.model_copy(update={"instance": instance}).model_dump_json().encode()

    def _on_stop(self, frame: bytes) -> BaseModel:
        stop = Stop.model_validate_json(frame)
        self.stops.append(stop)
        if self.instance and stop.instance not in (None, self.instance):
            return self.error("wrong_server", "another server is meant").model_copy(
                update={"id": stop.id}
            )
        self.mode, self.holder, self._why = "stopped", None, f"stop: {stop.reason}"
        return Ok(id=stop.id, time=time.monotonic())

    def error(self, code: str, message: str, fix: str = "the remedy") -> Error:
        fields = {"time": time.monotonic(), "code": code, "message": message, "fix": fix}
        return Error.model_validate(fields)

    def _on_command(self, message: Any) -> BaseModel | None:  # noqa: ANN401  any command
        if self.instance and message.instance not in (None, self.instance):
            return self.error("wrong_server", "another server is meant")
        if self.holder is not None and time.monotonic() > self.renewed_at + self._ttl_s:
            self.holder, self._why = None, f"not renewed for {self._ttl_s:g} s"
        own = self.override(message)
        if own is not None:
            return own
        now = time.monotonic()
        match message:
            case Hello():
                return self.welcome()
            case Acquire() if self.holder is not None:
                return self.error("lease_held", f"{self.holder!r} holds the lease, with priority 0")
            case Acquire():
                self.holder, self._token = message.holder, secrets.token_hex(8)
                self._ttl_s, self.renewed_at = message.ttl_s, now
                return Granted(time=now, lease=self._token, ttl_s=message.ttl_s)
            case Act():
                return acted(1)
            case _:
                return self._leased(message, now)

    def _leased(self, message: Any, now: float) -> BaseModel:  # noqa: ANN401  any command
        token = getattr(message, "lease", None)
        if token is not None and (self.holder is None or token != self._token):
            fix = "send 'acquire' and use the token of its reply"
            return self.error("no_lease", f"the lease has ended: {self._why}", fix)
        if isinstance(message, Renew):
            self.renewed_at = now
        if isinstance(message, Release):
            self.holder = None
        return Ok(time=now)

    def welcome(self) -> Welcome:
        return Welcome(
            time=time.monotonic(),
            server="stand-in",
            robot="panda",
            backend="mujoco",
            simulated=True,
            mode=self.mode,  # type: ignore[arg-type]  a mode
            servo_period_s=0.005,
            policy_rate_hz=25.0,
            telemetry_rate_hz=1 / PERIOD_S,
            telemetry_address=self._named[0],
            stop_address=self._named[1],
            lease_holder=self.holder,
            manifest=push_manifest(),
        )

    def state(self) -> Telemetry:
        three = (0.0, 0.0, 0.1)
        return Telemetry(
            seq=self._seq,
            time=time.monotonic(),
            tick=self._seq,
            mode=self.mode,  # type: ignore[arg-type]  a mode
            lease_holder=self.holder,
            command=None,
            command_expires=None,
            command_seq=0,
            joint_position=(0.0,) * 7,
            joint_velocity=(0.0,) * 7,
            joint_setpoint=(0.0,) * 7,
            end_effector_position=three,
            end_effector_velocity=three,
            gripper_width=0.0,
            objects={},
            skill=None,
            goal=None,
            action=None,
            context=None,
            scene=None,
            timing=Timing(
                execution_time_p50_us=1.0,
                execution_time_p99_us=1.0,
                wakeup_latency_p50_us=1.0,
                wakeup_latency_p99_us=1.0,
                overruns=0,
            ),
            counters={},
            last_event="started",
        )


def acted(steps: int) -> Acted:
    """Returns the reply to ``act``, for one row of three numbers."""
    action = ArraySpec(name="action", dtype="float32", shape=(1, 3))
    return Acted(time=time.monotonic(), inference_s=0.001, steps=steps, arrays=(action,))
