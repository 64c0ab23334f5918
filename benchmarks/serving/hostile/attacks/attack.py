"""One attack: a function that a separate process runs, and the effects that are permitted."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

import zmq

from benchmarks.serving.hostile.zmtp import PeerClosedError, RawPeer

Arm = Literal["moves", "stops", "either"]

WINDOW_S = 0.18
"""Time from the begin of an attack to the stop of an innocent client [s]."""

LASTS_S = WINDOW_S + 0.06
"""Time that an attack of many messages lasts [s]."""

HELD_S = 30.0
"""Longest time for which an attack keeps a connection open after its end [s]."""

RETRY_S = 0.02
"""Pause before the next connection if the server refused one [s]."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The attacked server and the limits of one attack."""

    commands: str
    """Address of the commands, ``tcp://HOST:PORT``."""
    telemetry: str
    stop: str
    repeat: int
    """Number of the repeat; an attack with variants takes the variant of this number."""
    ends: float
    """Monotonic time at which the attack ends [s]."""
    released: Callable[[], bool] = lambda: True
    """Whether connections that the attack has opened may be closed after its end."""

    def running(self) -> bool:
        """Returns whether the attack may go on."""
        return time.monotonic() < self.ends

    def linger(self) -> None:
        """Keeps the connections of the attack open until the last stop has been sent."""
        ends = self.ends + HELD_S
        while self.running() or not (self.released() or time.monotonic() > ends):
            time.sleep(0.005)


@dataclass(frozen=True, kw_only=True)
class Attack:
    """A kind of attack, see :func:`attack`."""

    name: str
    run: Callable[[Target], None]
    arm: Arm
    lasts_s: float
    share: float
    burns: bool
    identity: bytes


def attack(
    *,
    arm: Arm = "moves",
    lasts_s: float = LASTS_S,
    share: float = 1.0,
    burns: bool = False,
    identity: bytes = b"",
) -> Callable[[Callable[[Target], None]], Attack]:
    """Makes an attack of a function; the name of the function is that of the attack.

    Args:
        arm: Whether the arm must stop because of the attack, must move on, or may do either.
        lasts_s: Longest time of one attack [s].
        share: Share of the repeats; less than 1 for an attack that takes long.
        burns: Whether the attacker computes all the time; the control then does so too.
        identity: ZeroMQ identity with which the innocent clients connect again during the attack.
    """

    def make(run: Callable[[Target], None]) -> Attack:
        return Attack(
            name=run.__name__.replace("_", "-"),
            run=run,
            arm=arm,
            lasts_s=lasts_s,
            share=share,
            burns=burns,
            identity=identity,
        )

    return make


@contextmanager
def dealers(address: str, number: int) -> Generator[list[zmq.Socket[bytes]]]:
    """Opens DEALER sockets of libzmq that read no reply."""
    with ExitStack() as opened:
        context = opened.enter_context(zmq.Context())
        sockets = [opened.enter_context(context.socket(zmq.DEALER)) for _ in range(number)]
        for socket in sockets:
            for option, value in {zmq.LINGER: 0, zmq.SNDHWM: 100, zmq.RCVHWM: 1}.items():
                socket.setsockopt(option, value)
            socket.connect(address)
        yield sockets


def repeat(target: Target, address: str, data: bytes, socket_type: str = "DEALER") -> None:
    """Sends the same bytes again and again on a raw connection; opens another if it is closed."""
    while target.running():
        try:
            with RawPeer(address, socket_type) as peer:
                while target.running():
                    peer.send(data, target.running)
        except OSError:
            time.sleep(RETRY_S)


def send_once(target: Target, address: str, data: bytes, socket_type: str = "DEALER") -> None:
    """Sends bytes on a raw connection, which stays open until the end of the attack."""
    try:
        with RawPeer(address, socket_type) as peer:
            peer.send(data, target.running)
            target.linger()
    except PeerClosedError:
        pass
    except OSError:  # the server restarts the program that was attacked before
        time.sleep(RETRY_S)
        if target.running():
            send_once(target, address, data, socket_type)
