"""Round trips of the policy service on one device, by the number of observations in a request."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.gpu.kinds import Device
from benchmarks.serving.act.bare_policy import BarePolicy, command_of
from benchmarks.serving.act.own import caller, serving
from benchmarks.serving.act.peer import Peer
from benchmarks.serving.act.timing import BLOCK, in_turns

ROWS = (1, 64, 512)
"""Observations in a request; the service refuses more than 512 of a tabletop policy."""


def round_trips(model: Path, device: Device, turns: int) -> dict[int, float]:
    """Returns the median round trip [us] for each of :data:`ROWS`.

    Args:
        model: The policy file.
        device: Device of the service.
        turns: Number of turns of 50 requests.

    Raises:
        SystemExit: The service did not start, e.g. because there is no such device.
    """
    policy = BarePolicy(model)
    command = command_of(policy)
    size = policy.manifest.observation_size
    drawn = np.random.default_rng(0).normal(0.0, 0.1, (BLOCK, 1, size)).astype(np.float32)
    found: dict[int, float] = {}
    with serving([str(model)], ["--device", device]) as service, service.client() as client:
        for rows in ROWS:
            peer = Peer(str(rows), caller(client, policy.command, model.stem, f"rows {rows}"))
            observations = np.repeat(drawn, rows, axis=1)
            commands = np.repeat(command, rows, axis=0)
            timed = in_turns([peer], observations, commands, turns, None)[0]
            found[rows] = timed.quantile(0.5)
    return found
