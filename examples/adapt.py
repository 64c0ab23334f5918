"""Changes the cube while a policy pushes it from goal to goal, and prints how the policy adapts.

Start `skill-serve --model goal_panda --mass 0.8 --friction 0.4` and this beside it:

    python examples/adapt.py --seconds 36 --friction 0.06

The policy does not receive mass and friction. Each line shows the true values from the simulation
and the estimates of the policy's encoder (or the context itself, for a policy without estimates).
The distance is the Mahalanobis distance from the contexts of training. A distance above 1 means
that training did not produce this state of the encoder; a small distance does not prove that mass
and friction lie inside the trained range. At the end the cube gets its old parameters back.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping

from skill_proto.bounds import FRICTION, MASS_KG
from skill_proto.messages import Telemetry
from skill_proto.ports import DEFAULT_ADDRESS
from skill_runtime.client import ClientError, SkillClient

PERIOD_S = 0.1
"""Time between two commands [s]."""
GOALS = ((0.08, 0.0), (-0.08, 0.08), (-0.08, -0.08))
"""Goals for the cube, one after the other [m]."""
GOAL_S = 6.0
"""Time for each goal [s]."""
PRINT_S = 0.5
"""Time between two lines [s]."""


def main() -> None:
    """Runs until the time is over, Ctrl-C, or an error."""
    parser = argparse.ArgumentParser(description="Change the object while a policy pushes it.")
    parser.add_argument("--address", default=DEFAULT_ADDRESS)
    parser.add_argument("--seconds", type=float, default=36.0)
    parser.add_argument(
        "--friction", type=number(FRICTION), default=0.06, help="friction in the second half (0.06)"
    )
    parser.add_argument("--mass", type=number(MASS_KG), help="mass in the second half [kg]")
    arguments = parser.parse_args()
    try:
        with SkillClient(arguments.address) as client:
            check(client)
            adapt(client, arguments.seconds, arguments.mass, arguments.friction)
    except ClientError as error:
        raise SystemExit(f"adapt.py: {error}") from None
    except KeyboardInterrupt:
        print("the arm holds")


def number(bounds: tuple[float, float]) -> Callable[[str], float]:
    """Returns a parser of a number within ``bounds``."""

    def read(text: str) -> float:
        value = float(text)
        if not bounds[0] <= value <= bounds[1]:
            raise argparse.ArgumentTypeError(
                f"takes a number from {bounds[0]:g} to {bounds[1]:g}, got {text}"
            )
        return value

    read.__name__ = "number"
    return read


def check(client: SkillClient) -> None:
    """Ends the program if the policy cannot adapt or the object cannot be changed."""
    server = client.server
    if server.manifest.context is None or server.manifest.goal is None:
        raise SystemExit(
            f"adapt.py: {server.manifest.name} does not pursue goals with a context encoder, so it "
            "cannot adapt; serve models/goal_panda.onnx"
        )
    if not server.simulated:
        raise SystemExit("adapt.py: a real object cannot be changed; serve a simulated arm")


def adapt(client: SkillClient, seconds: float, mass: float | None, friction: float) -> None:
    """Sends goals; changes the object after half of the time, and restores it at the end.

    It acquires the lease first, since the demo would start a new episode with another object.
    """
    with client.acquire("adapt.py"):
        before = client.state().scene or {}
        start, changed, printed = time.monotonic(), False, 0.0
        try:
            while (elapsed := time.monotonic() - start) < seconds:
                if elapsed > seconds / 2 and not changed:
                    client.scene(mass, friction)
                    changed = True
                goal = GOALS[int(elapsed / GOAL_S) % len(GOALS)]
                client.goal(goal, valid_for_s=5 * PERIOD_S)
                state = client.state()
                if elapsed >= printed:
                    printed += PRINT_S
                    print(f"{elapsed:5.1f} s  {summary(state)}")
                time.sleep(PERIOD_S)
        finally:
            client.scene(before.get("mass"), before.get("friction"))


def summary(state: Telemetry) -> str:
    """Returns the true parameters and the encoder's estimates on one line."""
    inferred = f"context {state.context}"
    if state.context_estimate is not None:
        inferred = f"estimate: {listed(state.context_estimate)}"
    return (
        f"true: {listed(state.scene or {})}  {inferred}  "
        f"{listed({'distance': state.context_distance})}"
    )


def listed(values: Mapping[str, float | None]) -> str:
    """Returns names and values; a value that is unknown is a question mark."""
    return ", ".join(
        f"{name} ?" if value is None else f"{name} {value:.3g}" for name, value in values.items()
    )


if __name__ == "__main__":
    main()
