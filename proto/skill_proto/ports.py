"""default ports and addresses, said once."""

from __future__ import annotations

DEFAULT_ADDRESS = "tcp://127.0.0.1:5555"
"""Where skill-serve takes commands unless told otherwise."""


STOP_PORT_OFFSET = 2
"""Port of the stop socket above that of commands, unless the server says otherwise."""


COMMAND_PORT = 5555


TELEMETRY_PORT = COMMAND_PORT + 1


STOP_PORT = COMMAND_PORT + 2
