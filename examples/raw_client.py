"""A client of the wire protocol that uses only pyzmq and json, written from docs/protocol.md.

    python examples/raw_client.py --seconds 5

It says hello, acquires the lease, runs one skill and prints the position of the cube. It does not
import this project, so it is a template for a client in another language.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import zmq

PERIOD_S = 0.1
"""Time between two commands [s]."""


class Server:
    """Sends commands and receives their replies."""

    def __init__(self, address: str) -> None:
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.IMMEDIATE, 1)
        self.socket.setsockopt(zmq.SNDTIMEO, 2000)
        self.socket.setsockopt(zmq.RCVTIMEO, 2000)
        self.socket.connect(address)
        self.count = 0
        self.time = 0.0
        self.instance: str | None = None

    def ask(self, **message: object) -> dict[str, Any]:
        """Sends a command to the server that answered first, and waits for its reply."""
        self.count += 1
        header = {"v": 1, "id": self.count, "instance": self.instance}
        self.socket.send(json.dumps({**header, **message}).encode())
        while True:
            reply = json.loads(self.socket.recv())
            if reply["id"] in (self.count, 0):
                break
        self.check(reply)
        self.time = reply["time"]
        if reply["type"] == "error":
            raise SystemExit(f"{reply['code']}: {reply['message']}. Fix: {reply['fix']}")
        return reply

    def check(self, message: dict[str, Any]) -> None:
        """Ends the program at a message of another server, such as a restarted one."""
        self.instance = self.instance or message["instance"]
        if message["instance"] != self.instance:
            raise SystemExit("another server answers than before; start this program again")


def subscribe(address: str) -> zmq.Socket[bytes]:
    """Returns a telemetry socket that keeps only the newest state."""
    socket = zmq.Context.instance().socket(zmq.SUB)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.CONFLATE, 1)
    socket.setsockopt(zmq.RCVTIMEO, 2000)
    socket.subscribe(b"")
    socket.connect(address)
    return socket


def main() -> None:
    """Runs one skill until the time is over, Ctrl-C, or an error."""
    parser = argparse.ArgumentParser(description="Command an arm with plain ZeroMQ and JSON.")
    parser.add_argument("--address", default="tcp://127.0.0.1:5555")
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()

    try:
        push(arguments.address, arguments.seconds)
    except zmq.Again:
        raise SystemExit(f"no answer from {arguments.address}; is skill-serve running?") from None
    except KeyboardInterrupt:
        print("the arm holds as soon as the command expires")


def push(address: str, seconds: float) -> None:
    """Says hello, acquires the lease, repeats one skill, and releases the lease."""
    server = Server(address)
    welcome = server.ask(type="hello", client="raw_client.py")
    print(f"{welcome['robot']} runs {welcome['manifest']['name']}, mode {welcome['mode']}")
    skill = [1.0] + [0.0] * (welcome["manifest"]["skill"]["size"] - 1)
    telemetry = subscribe(welcome["telemetry_address"])

    lease = server.ask(type="acquire", holder="raw_client.py", ttl_s=1.0)["lease"]
    for seq in range(1, 1 + round(seconds / PERIOD_S)):
        state = json.loads(telemetry.recv())
        server.check(state)
        reference_time = max(server.time, state["time"])
        command = {
            "lease": lease,
            "seq": seq,
            "reference_time": reference_time,
            "valid_for_s": 5 * PERIOD_S,
        }
        server.ask(type="skill", skill=skill, **command)
        server.ask(type="renew", lease=lease)
        print(f"mode {state['mode']}, cube at {state['objects']['cube']['position']}")
        time.sleep(PERIOD_S)
    server.ask(type="release", lease=lease)

    telemetry.close()
    server.socket.close()


if __name__ == "__main__":
    main()
