"""gRPC with raw bytes in place of protobuf messages, which is its fastest form.

``python -m benchmarks.serving.act.grpc_peer MODEL PORT`` serves.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving.act.bare_policy import BarePolicy
from benchmarks.serving.act.peer import Peer, announce, free_port, server
from skill_proto.arrays import Float32Array

SERVICE, METHOD = "policy", "act"


def main() -> None:
    """Serves until it is killed."""
    import grpc

    policy = BarePolicy(Path(sys.argv[1]))
    size = policy.manifest.observation_size

    def act(request: bytes, context: object) -> bytes:
        del context
        row = np.frombuffer(request, np.float32)[None]
        return policy.act(row[:, :size], row[:, size:]).tobytes()

    handler = grpc.method_handlers_generic_handler(
        SERVICE, {METHOD: grpc.unary_unary_rpc_method_handler(act)}
    )
    served = grpc.server(ThreadPoolExecutor(1))
    served.add_generic_rpc_handlers((handler,))
    served.add_insecure_port(f"127.0.0.1:{sys.argv[2]}")
    served.start()
    announce()
    served.wait_for_termination()


@contextmanager
def running(model: Path) -> Generator[Peer]:
    """Yields the peer."""
    import grpc

    port = free_port()
    with server("benchmarks.serving.act.grpc_peer", [str(model), str(port)]):
        channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        method: Any = channel.unary_unary(f"/{SERVICE}/{METHOD}")

        def call(observation: Float32Array, command: Float32Array) -> Float32Array:
            reply = method(observation.tobytes() + command.tobytes())
            return np.frombuffer(reply, np.float32)[None]

        yield Peer("gRPC, raw bytes", call)
        channel.close()


if __name__ == "__main__":
    main()
