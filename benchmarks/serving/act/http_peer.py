"""HTTP/1.1 with JSON over one connection, without Nagle's algorithm, from the standard library.

``python -m benchmarks.serving.act.http_peer MODEL PORT`` serves.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np

from benchmarks.serving.act.bare_policy import BarePolicy
from benchmarks.serving.act.peer import Peer, announce, free_port, server
from skill_proto.arrays import Float32Array


def main() -> None:
    """Serves until it is killed."""
    policy = BarePolicy(Path(sys.argv[1]))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            action = policy.act(
                np.array(request["observation"], np.float32),
                np.array(request["command"], np.float32),
            )
            content = json.dumps({"action": action.tolist()}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    served = HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
    announce()
    served.serve_forever()


@contextmanager
def running(model: Path) -> Generator[Peer]:
    """Yields the peer."""
    port = free_port()
    with server("benchmarks.serving.act.http_peer", [str(model), str(port)]):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def call(observation: Float32Array, command: Float32Array) -> Float32Array:
            given = {"observation": observation.tolist(), "command": command.tolist()}
            connection.request("POST", "/act", json.dumps(given))
            reply = json.loads(connection.getresponse().read())
            return np.array(reply["action"], np.float32)

        yield Peer("HTTP + JSON", call)
        connection.close()


if __name__ == "__main__":
    main()
