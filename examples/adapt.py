"""Changes the cube while a policy sends it from goal to goal, and says what the policy notices.

Start `skill-serve --model models/goal_panda.onnx --mass 0.8 --friction 0.4` and this beside it:

    python examples/adapt.py --seconds 36 --friction 0.06

The policy is not told. What it takes the object for (or, where it estimates nothing, the context
itself) comes from its encoder, what is true from the simulation. The distance is Mahalanobis', in
context space: a large one (above 1) says that the encoder is in a state that training did not
produce, a small one does not prove that mass and friction lie inside the trained range. At the end
the cube is as it was.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from skill_proto.bounds import FRICTION, MASS_KG
from skill_proto.ports import DEFAULT_ADDRESS
from skill_runtime.client.client import SkillClient
from skill_runtime.client.errors import ClientError
from skill_runtime.console.text import state_line

PERIOD_S = 0.1
"""Time between two commands [s]."""
GOALS = ((0.08, 0.0), (-0.08, 0.08), (-0.08, -0.08))
"""In turn, [m]."""
GOAL_S = 6.0
"""Time for each [s]."""


def main() -> None:
    """Steers until the time is over, Ctrl-C, or something that cannot be done."""
    parser = argparse.ArgumentParser(description="Change the object under a policy's hands.")
    parser.add_argument("--address", default=DEFAULT_ADDRESS)
    parser.add_argument("--seconds", type=float, default=36.0)
    parser.add_argument(
        "--friction", type=number(FRICTION), default=0.06, help="from half time on (0.06)"
    )
    parser.add_argument("--mass", type=number(MASS_KG), help="from half time on [kg]; as it is")
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
    """Reads a number within ``bounds``."""

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
    """Ends the program where nothing could be noticed, or nothing changed."""
    server = client.server
    if server.manifest.context is None or server.manifest.goal is None:
        raise SystemExit(
            f"adapt.py: {server.manifest.name} does not pursue goals with a context encoder, so "
            "there is nothing to watch; serve models/goal_panda.onnx"
        )
    if not server.simulated:
        raise SystemExit("adapt.py: a real object cannot be changed from here; serve without one")


def adapt(client: SkillClient, seconds: float, mass: float | None, friction: float) -> None:
    """Sends goals; changes the object when half of the time is over, and puts it back at the end.

    It takes the lease first: the show would start afresh, with another object.
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
                    printed += 0.5
                    true = ", ".join(f"{name} {x:g}" for name, x in (state.scene or {}).items())
                    line = state_line(state, client.server.manifest)
                    print(f"{elapsed:5.1f} s  is {true}  {line}")
                time.sleep(PERIOD_S)
        finally:
            client.scene(before.get("mass"), before.get("friction"))


if __name__ == "__main__":
    main()
