"""Requests of all peers in turns, so that every load of the machine hits all alike."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.serving.act.peer import Call, Peer
from skill_proto.arrays import Array, Float32Array

BLOCK = 50
"""Requests of one peer in one turn."""

GROUP = 4
"""Turns of which one quantile is taken for a ratio: 200 requests."""

WARM_UP = 200
"""Requests of each peer before the first turn."""


@dataclass(frozen=True)
class RoundTrips:
    """Round trips of one peer [us]."""

    name: str
    turns: Array
    """``(turns, k)``."""

    @property
    def samples(self) -> Array:
        """All round trips."""
        return self.turns.reshape(-1)

    def ratio(self, other: RoundTrips, share: float) -> float:
        """Returns the quantile of this peer over that of another one, in the same turns.

        The median over groups of :data:`GROUP` turns: a burst of other load that lasts for some
        turns hits both peers, and would otherwise be the whole tail of one of them.
        """
        mine, others = (np.quantile(one.grouped(), share, axis=1) for one in (self, other))
        return float(np.median(mine / others))

    def grouped(self) -> Array:
        """Returns ``(groups, GROUP * k)``; turns that fill no group are left out."""
        groups = max(1, len(self.turns) // GROUP)
        return self.turns[: groups * GROUP].reshape(groups, -1)

    def quantile(self, share: float) -> float:
        """Returns a quantile [us]."""
        return float(np.quantile(self.samples, share))


def in_turns(
    peers: Sequence[Peer],
    observations: Float32Array,
    command: Float32Array,
    turns: int,
    rate_hz: float | None,
) -> list[RoundTrips]:
    """Measures all peers.

    Args:
        peers: The peers.
        observations: ``(k, n, O)``: the k-th request of a turn has the k-th observations.
        command: ``(n, G)``.
        turns: Turns of each peer.
        rate_hz: Rate of the requests [Hz]; None sends each as soon as the last one is answered.
    """
    samples = np.zeros((len(peers), turns, len(observations)))
    for peer in peers:
        for step in range(WARM_UP):
            peer.call(observations[step % len(observations)], command)
    for turn in range(turns):
        # Another order in each turn: no peer always follows the same one.
        for place in np.random.default_rng(turn).permutation(len(peers)):
            samples[place, turn] = _block(peers[place].call, observations, command, rate_hz)
    return [
        RoundTrips(peer.name, samples[place].reshape(-1) * 1e6) for place, peer in enumerate(peers)
    ]


def _block(
    call: Call, observations: Float32Array, command: Float32Array, rate_hz: float | None
) -> Array:
    """Returns the durations of one turn [s]."""
    durations = np.zeros(len(observations))
    due = time.perf_counter()
    for step, observation in enumerate(observations):
        if rate_hz is not None:
            due += 1.0 / rate_hz
            time.sleep(max(0.0, due - time.perf_counter()))
        start = time.perf_counter()
        call(observation, command)
        durations[step] = time.perf_counter() - start
    return durations
