"""skill-metrics: a served arm for Prometheus."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field
from typing import Annotated

import tyro
import zmq
from tyro.conf import OmitArgPrefixes, arg

from skill_proto.ports import MAX_PORT
from skill_runtime.cli.flag_texts import as_flags, exit_code_of
from skill_runtime.cli.subscribers.server_options import (
    Ending,
    ServerOptions,
    check_installed,
)
from skill_runtime.client import ClientError
from skill_runtime.client.sockets.opening import open_socket
from skill_runtime.console.exit_codes import USAGE
from skill_runtime.console.flags import UsageError, check_number
from skill_runtime.console.program import VERSION_HINT, print_error

# Other imports are local: '--help' and a mistyped flag answer at once.

METRICS_PORT = 9558

POLL_S = 0.2
"""Time between two looks at a signal to end [s]."""

DESCRIPTION = (
    "Export the telemetry of a served arm for Prometheus, at http://HOST:PORT/metrics. While the "
    "server is away, the last known values stay and skill_serve_up is 0. A dashboard for Grafana "
    "is in deploy/grafana. See docs/recording.md. " + VERSION_HINT
)


@dataclass(frozen=True, kw_only=True)
class MetricsOptions:
    """The command line."""

    server: OmitArgPrefixes[ServerOptions] = field(default_factory=ServerOptions)
    """The server."""
    host: Annotated[str, arg(metavar="HOST")] = "127.0.0.1"
    """Address on which the metrics are served. They are not protected: on another address than
    this machine's own, everyone who reaches it reads them."""
    port: Annotated[int, arg(metavar="PORT")] = METRICS_PORT
    """Port on which the metrics are served."""


def main() -> None:
    """Runs the program and exits with a code of exit_codes.py."""
    options = tyro.cli(MetricsOptions, prog="skill-metrics", description=DESCRIPTION)
    try:
        check_number("port", options.port, 1, MAX_PORT)
        check_installed("skill-metrics", "metrics", ("prometheus_client",))
        _serve(options)
    except UsageError as error:
        print_error("skill-metrics", error)
        sys.exit(USAGE)
    except ClientError as error:
        print_error("skill-metrics", as_flags(error, address=options.server.address))
        sys.exit(exit_code_of(error))


def _check_server(server: ServerOptions) -> None:
    """Checks keys and address without waiting for the server, which may not run yet.

    Raises:
        InvalidAddressError: The address is malformed.
        InvalidUseError: A key cannot be used.
    """
    server.client("skill-metrics").close()
    open_socket(zmq.DEALER, server.address, {}).close()


def _serve(options: MetricsOptions) -> None:
    from prometheus_client import CollectorRegistry, start_http_server

    from skill_runtime.subscribers.metrics.exporter import Exporter

    ending = Ending()
    _check_server(options.server)
    exporter = Exporter(
        lambda: options.server.client("skill-metrics"),
        options.server.telemetry_address,
        lambda error: print_error("skill-metrics", as_flags(error, address=options.server.address)),
    )
    registry = CollectorRegistry(auto_describe=False)
    registry.register(exporter)
    try:
        server, thread = start_http_server(options.port, addr=options.host, registry=registry)
    except OSError as error:
        raise UsageError(
            f"cannot serve metrics on {options.host} port {options.port}: {error.strerror}; "
            "choose another one with --port or --host"
        ) from None
    print(f"metrics at http://{options.host}:{options.port}/metrics", flush=True)
    reader = threading.Thread(target=exporter.run, name="reader", daemon=True)
    reader.start()
    try:
        while not ending.asked:
            reader.join(POLL_S)
            if not reader.is_alive():
                raise RuntimeError("the reader has ended; its error is above")
    finally:
        exporter.end()
        server.shutdown()
        thread.join()
        reader.join(POLL_S)


if __name__ == "__main__":
    main()
