"""Round trips of ``act`` beside other ways to serve the same policy.

    python -m benchmarks.serving.act --json FILE

Five servers run at the same time, and one client asks them in turns.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from tyro.conf import arg

from benchmarks.lib.program import run_program
from benchmarks.lib.ranges import PositiveFloat, PositiveInt
from benchmarks.lib.report import print_table, write_json
from benchmarks.serving.act import floor, grpc_peer, http_peer, openpi_peer, own, sessions
from benchmarks.serving.act.bare_policy import BarePolicy, command_of
from benchmarks.serving.act.peer import Peer
from benchmarks.serving.act.timing import BLOCK, RoundTrips, in_turns
from skill_proto.arrays import Float32Array

OWN, FLOOR, OPENPI = "skill-serve", "ZeroMQ + ONNX Runtime", "openpi"

BATCH = 64
"""Observations in one request."""

SHARES = (0.5, 0.9, 0.99)


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line."""

    json: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write the figures to this file."""
    model: Path = Path("models/csf_panda.onnx")
    """Policy file that all peers serve."""
    turns: PositiveInt = 100
    """Turns of each peer in the closed loop, of 50 requests each."""
    paced_turns: PositiveInt = 20
    """Turns of each peer at 200 Hz."""
    rate_hz: PositiveFloat = 200.0
    """Rate of the paced requests [Hz]."""
    openpi: Annotated[Path | None, arg(metavar="DIR")] = None
    """A checkout of openpi. Default: download its server file."""
    no_openpi: bool = False
    """Leave openpi out."""
    sessions: PositiveInt = 64
    """Sessions of the load at 50 Hz."""
    sessions_s: PositiveFloat = 10.0
    """Duration of that load [s]."""
    curve: bool = False
    """Serve with keys (CURVE); bare ZeroMQ encrypts, too."""


def main(options: Options) -> None:
    """Measures, prints tables, and writes the figures."""
    policy = BarePolicy(options.model)
    command = command_of(policy)
    draw = np.random.default_rng(0)
    shape = BLOCK, 1, policy.manifest.observation_size
    observations = draw.normal(0.0, 0.1, shape).astype(np.float32)
    result: dict[str, object] = {"model": options.model.name, "curve": options.curve}
    with ExitStack() as stack:
        flags, keys = _flags(options, stack)
        service = stack.enter_context(own.serving([str(options.model)], flags, keys))
        peers = _peers(options, stack, policy, service, result)
        closed = in_turns(peers, observations, command, options.turns, None)
        _show("Closed loop", closed)
        paced = in_turns(peers, observations, command, options.paced_turns, options.rate_hz)
        _show(f"Paced at {options.rate_hz:g} Hz", paced)
        result |= _ratios(closed, "") | _ratios(paced, "_paced")
        result["closed_us"], result["paced_us"] = _figures(closed), _figures(paced)
        result |= _batch(options, policy, service, observations, command)
        result |= _load(options, policy, service, observations[0], command)
    for name in ("rtt_over_floor_p50", "rtt_over_openpi_p50", "rtt_over_openpi_p99"):
        for key in (name, f"{name}_paced"):
            if key in result:
                print(f"{key}: {result[key]:.2f}")
    print(f"batch64_gain: {result['batch64_gain']:.1f}")
    write_json(options.json, result)


def _flags(options: Options, stack: ExitStack) -> tuple[list[str], dict[str, str]]:
    """Returns the flags of the service, and the arguments of its clients."""
    if not options.curve:
        return [], {}
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    return own.make_keys(folder)


def _peers(
    options: Options,
    stack: ExitStack,
    policy: BarePolicy,
    service: own.Service,
    result: dict[str, object],
) -> list[Peer]:
    """Starts the peers, and returns their clients."""
    model = options.model
    client = stack.enter_context(service.client())
    peers = [
        Peer(OWN, own.caller(client, policy.command, model.stem, "robot")),
        stack.enter_context(floor.running(model, curve=options.curve)),
        stack.enter_context(grpc_peer.running(model)),
        stack.enter_context(http_peer.running(model)),
    ]
    if not options.no_openpi:
        folder = Path(tempfile.gettempdir()) / f"skill-serve-openpi-{os.getuid()}"
        result["openpi_server_sha256"] = openpi_peer.fetch(folder, options.openpi)
        peers.append(stack.enter_context(openpi_peer.running(model, folder)))
    return peers


def _batch(
    options: Options,
    policy: BarePolicy,
    service: own.Service,
    observations: Float32Array,
    command: Float32Array,
) -> dict[str, object]:
    """Compares one request of 64 observations with requests of one."""
    with service.client() as client:
        one, many = (
            Peer(name, own.caller(client, policy.command, options.model.stem, name))
            for name in ("one", "many")
        )
        turns = max(1, options.turns // 5)
        single = in_turns([one], observations, command, turns, None)[0]
        rows = np.repeat(observations, BATCH, axis=1), np.repeat(command, BATCH, axis=0)
        batch = in_turns([many], *rows, turns, None)[0]
        again = in_turns([one], observations, command, turns, None)[0]
    samples = np.concatenate([single.samples, again.samples])
    p50 = float(np.median(samples)), batch.quantile(0.5)
    print(f"\n1 observation: {p50[0]:.0f} us; {BATCH} in one request: {p50[1]:.0f} us")
    return {"batch64_gain": BATCH * p50[0] / p50[1], "batch64_us": p50[1], "single_us": p50[0]}


def _load(
    options: Options,
    policy: BarePolicy,
    service: own.Service,
    observation: Float32Array,
    command: Float32Array,
) -> dict[str, object]:
    """Plays many sessions at 50 Hz against a service on one core."""
    load = sessions.Load(
        sessions=options.sessions,
        duration_s=options.sessions_s,
        command=policy.command,
        model=options.model.stem,
    )
    service.pin(max(os.sched_getaffinity(0)))
    seen = sessions.run(service, load, observation, command)
    print(
        f"{load.sessions} sessions at {load.rate_hz:g} Hz on one core: {seen.late} of "
        f"{seen.requests} answers late ({seen.late / seen.requests:.2%}; at the client "
        f"{seen.late_at_client / seen.requests:.2%}), p50 {seen.p50_us:.0f} us, "
        f"p99 {seen.p99_us:.0f} us"
    )
    return {"sessions": {**asdict(load), **asdict(seen)}}


def _figures(measured: Sequence[RoundTrips]) -> dict[str, dict[str, float]]:
    return {
        one.name: {f"p{100 * share:g}": one.quantile(share) for share in SHARES} for one in measured
    }


def _ratios(measured: Sequence[RoundTrips], suffix: str) -> dict[str, object]:
    by_name = {one.name: one for one in measured}
    ours, ratios = by_name[OWN], {}
    for peer, name in ((FLOOR, "floor"), (OPENPI, "openpi")):
        for share, label in ((0.5, "p50"), (0.99, "p99")):
            if peer in by_name:
                key = f"rtt_over_{name}_{label}{suffix}"
                ratios[key] = ours.ratio(by_name[peer], share)
    return ratios


def _show(title: str, measured: Sequence[RoundTrips]) -> None:
    print(f"\n{title}, round trip [us]")
    rows = [[one.name, *[f"{one.quantile(share):.0f}" for share in SHARES]] for one in measured]
    print_table(["peer", *[f"p{100 * share:g}" for share in SHARES]], rows)


if __name__ == "__main__":
    run_program(main, Options, prog="python -m benchmarks.serving.act", description=__doc__)
