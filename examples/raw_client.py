"""A client of the wire protocol with pyzmq and json alone, written from docs/protocol.md.

    python examples/raw_client.py --seconds 5

Says hello, takes the lease, runs one skill and watches the cube move. Nothing here imports this
project: it is what a client in another language looks like.
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
    """Commands and their replies."""

    def __init__(self, address: str) -> None:
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.IMMEDIATE, 1)
        self.socket.setsockopt(zmq.SNDTIMEO, 2000)
        self.socket.setsockopt(zmq.RCVTIMEO, 2000)
        self.socket.connect(address)
        self.count = 0
        self.time = 0.0

    def ask(self, **message: object) -> dict[str, Any]:
        """Sends a command and waits for the reply to it."""
        self.count += 1
        self.socket.send(json.dumps({"v": 1, "id": self.count, **message}).encode())
        while True:
            reply = json.loads(self.socket.recv())
            if reply["id"] in (self.count, 0):
                break
        self.time = reply["time"]
        if reply["type"] == "error":
            raise SystemExit(f"{reply['code']}: {reply['message']} ({reply['fix']})")
        return reply


def watch(address: str) -> zmq.Socket[bytes]:
    """A telemetry socket that holds the newest state."""
    socket = zmq.Context.instance().socket(zmq.SUB)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.CONFLATE, 1)
    socket.setsockopt(zmq.RCVTIMEO, 2000)
    socket.subscribe(b"")
    socket.connect(address)
    return socket


def main() -> None:
    """Steers for a while, and says why if it cannot."""
    parser = argparse.ArgumentParser(description="Steer an arm through plain ZeroMQ and JSON.")
    parser.add_argument("--address", default="tcp://127.0.0.1:5555")
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()

    try:
        push(arguments.address, arguments.seconds)
    except zmq.Again:
        raise SystemExit(f"no answer from {arguments.address}; is skill-serve running?") from None
    except KeyboardInterrupt:
        print("the arm holds as soon as command or lease has run out")


def push(address: str, seconds: float) -> None:
    """Hello, lease, one skill, release."""
    server = Server(address)
    welcome = server.ask(type="hello", client="raw_client.py")
    print(f"{welcome['robot']} runs {welcome['manifest']['name']}, mode {welcome['mode']}")
    skill = [1.0] + [0.0] * (welcome["manifest"]["skill"]["size"] - 1)
    telemetry = watch(welcome["telemetry_address"])

    lease = server.ask(type="acquire", holder="raw_client.py", ttl_s=1.0)["lease"]
    for seq in range(1, 1 + round(seconds / PERIOD_S)):
        state = json.loads(telemetry.recv())
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
