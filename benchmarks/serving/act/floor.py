"""Bare ZeroMQ and ONNX Runtime: two raw frames in, one out, no check of anything.

``python -m benchmarks.serving.act.floor MODEL PORT [SECRET_KEY]`` serves; with a key it
encrypts (CURVE).
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import zmq

from benchmarks.serving.act.bare_policy import BarePolicy
from benchmarks.serving.act.peer import Peer, announce, free_port, server
from skill_proto.arrays import Float32Array


def main() -> None:
    """Serves until it is killed."""
    policy = BarePolicy(Path(sys.argv[1]))
    socket = zmq.Context().socket(zmq.ROUTER)
    if len(sys.argv) > 3:
        socket.curve_server, socket.curve_secretkey = True, sys.argv[3].encode()
    socket.bind(f"tcp://127.0.0.1:{sys.argv[2]}")
    announce()
    while True:
        sender, observation, command = socket.recv_multipart()
        action = policy.act(
            np.frombuffer(observation, np.float32)[None], np.frombuffer(command, np.float32)[None]
        )
        socket.send_multipart([sender, action.tobytes()])


@contextmanager
def running(model: Path, *, curve: bool = False) -> Generator[Peer]:
    """Yields the peer.

    Args:
        model: The policy file.
        curve: Whether it encrypts (CURVE).
    """
    port = free_port()
    context = zmq.Context()
    public, secret = zmq.curve_keypair()
    arguments = [str(model), str(port)] + ([secret.decode()] if curve else [])
    with server("benchmarks.serving.act.floor", arguments):
        socket = context.socket(zmq.DEALER)
        if curve:
            socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
            socket.curve_serverkey = public
        socket.linger = 0
        socket.connect(f"tcp://127.0.0.1:{port}")

        def call(observation: Float32Array, command: Float32Array) -> Float32Array:
            socket.send_multipart([observation.tobytes(), command.tobytes()])
            return np.frombuffer(socket.recv_multipart()[0], np.float32)[None]

        yield Peer("ZeroMQ + ONNX Runtime", call)
        socket.close()
    context.term()


if __name__ == "__main__":
    main()
