"""The process that attacks: ``python -m benchmarks.serving.hostile.attacker``.

It reads orders from standard input, one JSON object per line: an attack, then an
empty object that releases it. It prints a line after each attack.
"""

from __future__ import annotations

import json
import os
import queue
import select
import subprocess
import sys
import threading
import time
from types import TracebackType
from typing import Any, Self

from benchmarks.serving.hostile.attacks import ATTACKS
from benchmarks.serving.hostile.attacks.attack import Attack, Target, dealers
from benchmarks.serving.hostile.rig import Addresses

NICENESS = 10
"""The attacker stands for a peer on another machine: its own computing shall cost the server as
little as possible."""

HELLO_PERIOD_S = 0.05
"""Time between two hellos of the control [s]."""


def control(target: Target, burns: bool) -> None:
    """Sends an innocuous message now and then, and computes in between if the attack does so."""
    with dealers(target.commands, 1) as sockets:
        while target.running():
            sockets[0].send(b'{"type":"hello"}')
            pause_ends = time.monotonic() + HELLO_PERIOD_S
            while target.running() and time.monotonic() < pause_ends:
                if not burns:
                    time.sleep(0.005)


class Attacker:
    """Starts the process, and gives it orders.

    Args:
        addresses: Addresses of the attacked server.
    """

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.serving.hostile.attacker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._await_line()

    def begin(self, attack: Attack, repeat: int, *, innocuous: bool) -> None:
        """Begins one attack, or its control; :meth:`finished` reports its end."""
        self._order(
            {
                "attack": attack.name,
                "innocuous": innocuous,
                "target": {**self._addresses._asdict(), "repeat": repeat},
            }
        )

    def _order(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None  # because of stdin=PIPE
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def release(self) -> None:
        """Permits the attack to close the connections that it has opened."""
        self._order({})

    def finished(self) -> bool:
        """Returns whether the attack has ended after its release; then another may begin."""
        assert self._process.stdout is not None  # because of stdout=PIPE
        if not select.select([self._process.stdout], [], [], 0)[0]:
            return False
        self._await_line()
        return True

    def _await_line(self) -> None:
        assert self._process.stdout is not None  # because of stdout=PIPE
        if not self._process.stdout.readline():
            raise RuntimeError("the attacker ended; its error stands above")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


def main() -> None:
    """Carries out the orders until standard input ends."""
    os.nice(NICENESS)
    orders: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(orders,), daemon=True).start()
    print("ready", flush=True)
    while True:
        order = orders.get()
        attack = ATTACKS[order["attack"]]
        target = Target(
            **order["target"],
            ends=time.monotonic() + attack.lasts_s,
            released=lambda: not orders.empty(),
        )
        if order["innocuous"]:
            control(target, attack.burns)
        else:
            attack.run(target)
        orders.get()  # the release
        print("done", flush=True)


def _read(orders: queue.SimpleQueue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        orders.put(json.loads(line))
    os._exit(0)


if __name__ == "__main__":
    main()
