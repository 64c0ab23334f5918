"""The gripper's service on TCP port 1338, at rest."""

from __future__ import annotations

import socket
import struct
import time

from skill_robots.control_box.wire.protocol import GRIPPER_PORT, GRIPPER_VERSION
from skill_runtime.doctor.control_box.client import TIMEOUT_S, ControlBoxError
from skill_runtime.doctor.control_box.robot_test import Answer, Bench, RobotTest

_HEADER = struct.Struct("<HII")
_CONNECT = struct.Struct("<HH")
_REPLY = struct.Struct("<HH")
_STATE = struct.Struct("<IddBH")
_LISTEN_S = 1.0
"""Duration for which states are counted [s]."""


def gripper_state(bench: Bench) -> Answer:
    """Connects to the gripper and records its states.

    Raises:
        ControlBoxError: no gripper answers.
    """
    try:
        with (
            socket.create_connection((bench.host, GRIPPER_PORT), TIMEOUT_S) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            udp.bind((tcp.getsockname()[0], 0))
            return _converse(tcp, udp)
    except OSError as error:
        raise ControlBoxError(
            f"no gripper answers at TCP port {GRIPPER_PORT}: {error.strerror or error}"
        ) from None


GRIPPER_TESTS = (
    RobotTest(
        name="gripper_state",
        question="Which version, width and largest width does the gripper report, how often?",
        ask=gripper_state,
    ),
)


def _converse(tcp: socket.socket, udp: socket.socket) -> Answer:
    payload = _CONNECT.pack(GRIPPER_VERSION, udp.getsockname()[1])
    tcp.sendall(_HEADER.pack(0, 0, _HEADER.size + len(payload)) + payload)
    reply = b""
    while len(reply) < _HEADER.size + _REPLY.size:
        part = tcp.recv(64)
        if not part:
            raise ControlBoxError("the gripper closed the connection")
        reply += part
    status, version = _REPLY.unpack_from(reply, _HEADER.size)
    found: dict[str, object] = {"status": status, "version": version}
    states: list[tuple[float, bytes]] = []
    end = time.monotonic() + _LISTEN_S
    while (left := end - time.monotonic()) > 0.0:
        udp.settimeout(left)
        try:
            datagram = udp.recv(256)
        except TimeoutError:
            break
        states.append((time.monotonic(), datagram))
    if len(states) > 1:
        found["rate_hz"] = round((len(states) - 1) / (states[-1][0] - states[0][0]), 2)
    if states:
        last = states[-1][1]
        found["bytes"] = len(last)
        if len(last) == _STATE.size:
            _, width, most, grasped, temperature = _STATE.unpack(last)
            found |= {
                "width_m": round(width, 6),
                "max_width_m": round(most, 6),
                "is_grasped": bool(grasped),
                "temperature": temperature,
            }
    return found
