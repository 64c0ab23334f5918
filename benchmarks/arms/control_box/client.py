"""A client that holds an FR3 by torques at 1 kHz, and measures the states that it gets.

    python -m benchmarks.arms.control_box.client ADDRESS SECONDS

prints a line when the measurement begins, and then its figures as JSON. libfranka asks for
SCHED_FIFO itself.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from typing import Any

import numpy as np

STIFFNESS = np.array([600.0, 600.0, 600.0, 600.0, 250.0, 150.0, 50.0])
"""[N m/rad]."""
DAMPING = np.array([50.0, 50.0, 50.0, 20.0, 20.0, 20.0, 10.0])
"""[N m s/rad]."""
WARM_UP_STATES = 500
"""States before the measurement: imports, caches and the first contact of both programs."""


def measure(address: str, seconds: float) -> dict[str, object]:
    """Runs the torque loop; returns the figures of its states."""
    import pylibfranka as franka

    robot: Any = franka.Robot(address, franka.RealtimeConfig.kIgnore)
    count = round(seconds * 2000) + WARM_UP_STATES
    arrivals, times, rates = np.zeros(count), np.zeros(count), np.zeros(count)
    control = robot.start_torque_control()
    state, _ = control.readOnce()
    goal = np.array(state.q)
    states, ends = 0, float("inf")
    gc.collect()
    gc.disable()
    while states < count:
        torque = STIFFNESS * (goal - np.array(state.q)) - DAMPING * np.array(state.dq)
        control.writeOnce(franka.Torques(torque.tolist()))
        state, _ = control.readOnce()
        now = time.perf_counter()
        arrivals[states], times[states] = now, state.time.to_sec()
        rates[states] = state.control_command_success_rate
        states += 1
        if states == WARM_UP_STATES:
            ends = now + seconds
            print("measuring", flush=True)
        if now > ends:
            break
    last = franka.Torques([0.0] * 7)
    last.motion_finished = True
    control.writeOnce(last)
    measured = slice(WARM_UP_STATES, states)
    return figures(arrivals[measured], times[measured], rates[measured])


def figures(
    arrivals: np.ndarray[Any, np.dtype[np.float64]],
    times: np.ndarray[Any, np.dtype[np.float64]],
    rates: np.ndarray[Any, np.dtype[np.float64]],
) -> dict[str, object]:
    """Returns real-time factor, gaps and skipped states.

    Args:
        arrivals: real time of each state [s].
        times: robot time of each state [s].
        rates: success rate in each state.
    """
    gaps_ms = np.diff(arrivals) * 1e3
    robot_s = float(times[-1] - times[0])
    wall_s = float(arrivals[-1] - arrivals[0])
    skips = np.rint(np.diff(times) * 1e3).astype(int) - 1
    return {
        "wall_s": wall_s,
        "states": len(arrivals),
        "states_per_s": len(arrivals) / wall_s,
        "realtime_factor": robot_s / wall_s,
        "gap_p50_ms": float(np.percentile(gaps_ms, 50)),
        "gap_p99_ms": float(np.percentile(gaps_ms, 99)),
        "gap_max_ms": float(gaps_ms.max()),
        "seen_share": len(arrivals) / (round(robot_s * 1e3) + 1),
        "longest_skip": int(skips.max()),
        "success_rate_mean": float(rates.mean()),
        "success_rate_min": float(rates.min()),
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], float(sys.argv[2]))))
