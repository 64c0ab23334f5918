"""Questions that move no joint: states, model, settings, requests of a robot at rest.

The tests set collision thresholds as ``skill-serve --arm franka`` does at its start, and the
stiffness that is libfranka's default.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

import numpy as np

from skill_proto.arrays import Array
from skill_robots.control_box.wire.protocol import Request
from skill_robots.franka.specs import FR3
from skill_robots.franka.urdf_limits import UrdfError, limits_from_urdf, spec_from_urdf
from skill_robots.franka_driver.config import DriverConfig
from skill_runtime.doctor.control_box.client import Reply
from skill_runtime.doctor.control_box.received_state import (
    ReceivedState,
    decode,
    message_id,
)
from skill_runtime.doctor.control_box.robot_test import Answer, Bench, RobotTest

_Status = TypeVar("_Status", bound=Enum)

LINUX_X86_64 = bytes((0, 0))
"""Architecture x64 and system Linux in LoadModelLibrary (libfranka-common, version 5)."""

MAX_KEPT = 1000
"""States from which the noise at rest is computed."""

FRAMES = ("f_t_ee", "f_t_ne", "ne_t_ee", "ee_t_k")
PAYLOAD = ("m_ee", "f_x_cee", "i_ee", "m_load", "f_x_cload", "i_load")
AT_REST = ("q", "q_d", "dq", "tau_j", "tau_j_d", "tau_ext_hat_filtered", "o_f_ext_hat_k", "o_ddp_o")
"""Fields of the state that are recorded with their spread."""


def state_stream(bench: Bench) -> Answer:
    """Receives states for a while, and records rate, gaps and losses.

    Gaps are between arrivals at the kernel, so that they are those of robot and network. Delays
    from there to this program are those of this computer.
    """
    client, size = bench.client, bench.protocol.state_size
    client.discard()
    arrivals: list[float] = []
    delays: list[float] = []
    numbers: list[int] = []
    sizes: Counter[int] = Counter()
    datagrams: list[bytes] = []
    end = time.monotonic() + bench.seconds
    while time.monotonic() < end:
        datagram = client.receive()
        sizes[len(datagram)] += 1
        if len(datagram) != size:
            continue
        delays.append(time.time() - client.arrived_s)
        arrivals.append(client.arrived_s)
        numbers.append(message_id(datagram))
        if len(datagrams) < MAX_KEPT:
            datagrams.append(datagram)
    answer: dict[str, object] = {"bytes": {str(size): count for size, count in sizes.items()}}
    if len(arrivals) < 2:
        return answer
    bench.facts["datagrams"] = datagrams
    lasted_s, steps = arrivals[-1] - arrivals[0], np.diff(numbers)
    return answer | {
        "states": len(arrivals),
        "rate_hz": round((len(arrivals) - 1) / lasted_s, 3),
        "robot_time_rate": round(1e-3 * (numbers[-1] - numbers[0]) / lasted_s, 6),
        "gap_ms": percentiles_ms(np.diff(arrivals).tolist()),
        "delay_ms": percentiles_ms(delays),
        "missing": int((steps[steps > 1] - 1).sum()),
        "out_of_order": int(np.count_nonzero(steps <= 0)),
    }


def percentiles_ms(times_s: list[float]) -> dict[str, float]:
    """Returns percentiles of times [s] in milliseconds."""
    shares = (("p50", 50.0), ("p99", 99.0), ("p99.9", 99.9), ("max", 100.0))
    return {name: round(1e3 * float(np.percentile(times_s, share)), 3) for name, share in shares}


def condition(bench: Bench) -> Answer:
    """Records modes, errors, frames, payload and the noise of a robot at rest."""
    states = _recent(bench)
    last = states[-1]
    answer: dict[str, object] = {
        "robot_mode": last.robot_mode,
        "motion_generator_mode": last.motion_generator_mode,
        "controller_mode": last.controller_mode,
        "errors": list(last.errors),
        "reason_of_the_last_reflex": list(last.reflex_reason),
        "success_rate_without_motion": last.control_command_success_rate,
    }
    for name in (*FRAMES, *PAYLOAD):
        answer[name] = _rounded(last.numbers[name])
    for name in AT_REST:
        values = np.stack([state.numbers[name] for state in states])
        answer[name] = {"mean": _rounded(values.mean(axis=0)), "std": _rounded(values.std(axis=0))}
    return answer


def robot_model(bench: Bench) -> Answer:
    """Records the URDF of an FR3, or the size of a Panda's model library."""
    protocol = bench.protocol
    if Request.GET_ROBOT_MODEL in protocol.requests.values():
        reply = bench.client.request(protocol, Request.GET_ROBOT_MODEL, timeout_s=10.0)
        text = reply.body.decode("utf-8", errors="replace")
        return {**_status(reply), **_digest(reply.body), "limits": _limits(text), "urdf": text}
    reply = bench.client.request(protocol, Request.LOAD_MODEL_LIBRARY, LINUX_X86_64, timeout_s=10.0)
    return {**_status(reply), **_digest(reply.body), "begins_with": reply.body[:4].hex()}


def collision_thresholds(bench: Bench) -> Answer:
    """Sets the thresholds of skill-serve, then one that is negative."""
    serve = DriverConfig()
    good = [*serve.contact_torque_nm, *serve.collision_torque_nm] * 2
    good += [*serve.contact_force_n, *serve.collision_force_n] * 2
    bad = [-1.0, *good[1:]]
    return {
        name: _setter(bench, Request.SET_COLLISION_BEHAVIOR, values)
        for name, values in (("negative", bad), ("of_skill_serve", good))
    }


def joint_impedance(bench: Bench) -> Answer:
    """Sets libfranka's default stiffness of the robot's own controller."""
    values = [3000.0, 3000.0, 3000.0, 2500.0, 2500.0, 2000.0, 2000.0]
    return _setter(bench, Request.SET_JOINT_IMPEDANCE, values)


def requests_at_rest(bench: Bench) -> Answer:
    """Stops a motion that does not run, and recovers from no error."""
    client, protocol = bench.client, bench.protocol
    stop = client.request(protocol, Request.STOP_MOVE)
    found: dict[str, object] = {
        "stop_without_motion": _named(stop, status_names(protocol.stop_codes)),
    }
    if not decode(client.receive(), protocol).errors:
        recovery = client.request(protocol, Request.AUTOMATIC_ERROR_RECOVERY, timeout_s=30.0)
        found["recovery_without_error"] = _named(recovery, status_names(protocol.recovery_codes))
    client.discard()
    found["robot_mode"] = decode(client.receive(), protocol).robot_mode
    return found


RESTING_TESTS = (
    RobotTest(
        name="state_stream",
        question="At which rate do states arrive, with which gaps and losses?",
        ask=state_stream,
    ),
    RobotTest(
        name="condition",
        question="Which mode, errors, frames and payload does the robot report, with which noise?",
        ask=condition,
    ),
    RobotTest(
        name="robot_model",
        question="Which model does the robot send?",
        ask=robot_model,
    ),
    RobotTest(
        name="collision_thresholds",
        question="Can the collision thresholds be set in this mode?",
        ask=collision_thresholds,
    ),
    RobotTest(
        name="joint_impedance",
        question="Can the stiffness be set in this mode?",
        ask=joint_impedance,
    ),
    RobotTest(
        name="requests_at_rest",
        question="How does the robot answer StopMove and recovery at rest?",
        ask=requests_at_rest,
    ),
)
"""Safe for any robot: its brakes may stay closed."""


def status_names(codes: Mapping[_Status, int]) -> dict[int, str]:
    """Returns the names of the statuses of a request, by code."""
    return {code: status.name.lower() for status, code in codes.items()}


def _named(reply: Reply, names: dict[int, str]) -> Answer:
    status = names.get(reply.status, str(reply.status))
    return {"status": status, "seconds": round(reply.seconds, 4)}


def _setter(bench: Bench, request: Request, values: list[float]) -> Answer:
    payload = np.array(values, "<f8").tobytes()
    reply = bench.client.request(bench.protocol, request, payload)
    return _named(reply, status_names(bench.protocol.setter_codes))


def _status(reply: Reply) -> dict[str, object]:
    return {"status": reply.status, "seconds": round(reply.seconds, 4)}


def _digest(body: bytes) -> dict[str, object]:
    return {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def _limits(urdf: str) -> Answer:
    """Returns the limits in a URDF, and whether they are those of an FR3."""
    try:
        limits = limits_from_urdf(urdf)
    except UrdfError as error:
        return {"error": str(error)}
    near_end = limits.position_based_velocity_limit
    found: dict[str, object] = {
        "position_low": limits.position_low.tolist(),
        "position_high": limits.position_high.tolist(),
        "velocity": limits.velocity_limit.tolist(),
        "velocity_offset": None if near_end is None else near_end.offset.tolist(),
        "deceleration": None if near_end is None else near_end.deceleration.tolist(),
    }
    try:
        spec_from_urdf(FR3, urdf)
    except UrdfError as error:
        found["not_an_fr3"] = str(error)
    return found


def _recent(bench: Bench) -> list[ReceivedState]:
    """Returns the states of :func:`state_stream`, or receives one."""
    datagrams = bench.facts.get("datagrams")
    recent = datagrams if isinstance(datagrams, list) else [bench.client.receive()]
    return [decode(datagram, bench.protocol) for datagram in recent]


def _rounded(values: Array) -> list[float]:
    return [float(f"{value:.6g}") for value in values.tolist()]
