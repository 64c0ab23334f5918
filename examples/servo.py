"""Streams servo targets to a served arm, as a controller does: a circle, or one joint.

Start `skill-serve --model csf_panda --servo-rate 500` and this program beside it:

    python examples/servo.py --rate 500
    python examples/servo.py --rate 500 --joint

The stream never waits for a reply. However this program ends, the arm holds.
"""

from __future__ import annotations

import argparse
import math
import time

import numpy as np

from skill_proto.ports import DEFAULT_ADDRESS
from skill_runtime.client import ClientError, SkillClient

TURN_S = 2.0
"""Period of the circle and of the joint's oscillation [s]."""
RADIUS_M, SWING_RAD = 0.04, 0.3
"""Radius of the circle, in the y-z plane, and amplitude of the last joint."""


def main() -> None:
    """Streams until the time is over, Ctrl-C, or an error of the client."""
    parser = argparse.ArgumentParser(description="Stream servo targets to an arm.")
    parser.add_argument("--address", default=DEFAULT_ADDRESS)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=200.0, help="targets per second, up to 1000")
    parser.add_argument("--joint", action="store_true", help="move only the last joint")
    arguments = parser.parse_args()
    if not (1 <= arguments.rate <= 1000 and arguments.seconds > 0):
        parser.error("--rate takes 1 to 1000 Hz, --seconds a positive number")
    try:
        servo(arguments.address, arguments.seconds, 1 / arguments.rate, joint=arguments.joint)
    except ClientError as error:
        raise SystemExit(f"servo.py: {error}") from None
    except KeyboardInterrupt:
        print("the arm holds")


def servo(address: str, seconds: float, period_s: float, *, joint: bool) -> None:
    """Sends one target per period, then prints the counts and the lag."""
    samples: list[tuple[float, float]] = []  # angle of the target, measured coordinate
    with SkillClient(address) as client, client.acquire("servo.py"):
        state = client.state()
        start = np.array(state.joint_position if joint else state.end_effector_position, float)
        plant = client.server.manifest.arm_plant
        with client.stream() as stream:
            begin = due = time.monotonic()
            while (elapsed := time.monotonic() - begin) < seconds:
                angle = 2 * math.pi * elapsed / TURN_S
                if joint:
                    stream.servo_joint([*start[:-1], start[-1] + SWING_RAD * math.sin(angle)])
                else:
                    offset = [0.0, RADIUS_M * math.sin(angle), RADIUS_M * (1 - math.cos(angle))]
                    low, high = plant.workspace_low_m, plant.workspace_high_m
                    stream.servo_pose(np.clip(start + offset, low, high))
                if (newest := client.latest) is not None and newest is not state:
                    state = newest
                    here = state.joint_position if joint else state.end_effector_position
                    samples.append((angle, np.array(here, float)[-1 if joint else 1]))
                stream.sleep_until(due := max(due + period_s, time.monotonic()))
        trips = np.percentile(stream.round_trips_s, [50, 99]) * 1e3
        refused = ", ".join(f"{n} {code}" for code, n in stream.refused.items()) or "none"
        print(f"{stream.sent} targets sent, {stream.dropped} dropped, refused: {refused}")
        print(f"round trip p50 {trips[0]:.1f} ms, p99 {trips[1]:.1f} ms")
    angles, measured = np.array(samples).reshape(-1, 2).T
    waves = np.column_stack([np.sin(angles), np.cos(angles), np.ones_like(angles)])
    (sine, cosine, _), *_ = np.linalg.lstsq(waves, measured, rcond=None)
    lag_s = math.atan2(-cosine, sine) / (2 * math.pi) * TURN_S
    print(f"the measured arm lags {1e3 * lag_s:.0f} ms behind the targets")


if __name__ == "__main__":
    main()
