"""Makes the table slippery while a policy sends a cube from goal to goal, and says what it notices.

Start `skill-serve --model models/goal_panda.onnx --mass 0.8 --friction 0.4` and this beside it:

    python examples/adapt.py --seconds 36 --friction 0.06

The policy is not told. What it takes the object for comes from its context encoder, what is true
from the simulation; the distance says how unlike its training the context is (above 1: unusual).
"""

from __future__ import annotations

import argparse
import time

from skill_runtime.client import DEFAULT_ADDRESS, SkillClient
from skill_runtime.client_errors import ClientError
from skill_runtime.control_text import state_line

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
    parser.add_argument("--friction", type=float, default=0.06, help="from half time on")
    arguments = parser.parse_args()
    try:
        adapt(arguments.address, arguments.seconds, arguments.friction)
    except ClientError as error:
        raise SystemExit(f"adapt.py: {error}") from None
    except KeyboardInterrupt:
        print("the arm holds")


def adapt(address: str, seconds: float, friction: float) -> None:
    """Sends goals; changes the friction when half of the time is over."""
    with SkillClient(address) as client, client.acquire("adapt.py"):
        start, changed, printed = time.monotonic(), False, 0.0
        while (elapsed := time.monotonic() - start) < seconds:
            if elapsed > seconds / 2 and not changed:
                client.scene(friction=friction)
                changed = True
            goal = GOALS[int(elapsed / GOAL_S) % len(GOALS)]
            client.goal(goal, valid_for_s=5 * PERIOD_S)
            state = client.state()
            if elapsed >= printed:
                printed += 0.5
                true = ", ".join(f"{key} {value:g}" for key, value in (state.scene or {}).items())
                print(f"{elapsed:5.1f} s  is {true}  {state_line(state, client.server.manifest)}")
            time.sleep(PERIOD_S)


if __name__ == "__main__":
    main()
