"""Runs the policy with a skill that turns in a circle.

Start `skill-serve --model csf_panda` in one terminal and this program in another:

    python examples/steer.py --seconds 20

The skill is a direction. It turns slowly, so that the arm pushes the cube along a curve. However
this program ends, the arm holds.
"""

from __future__ import annotations

import argparse
import math
import time

from skill_proto.ports import DEFAULT_ADDRESS
from skill_runtime.client import ClientError, SkillClient

PERIOD_S = 0.1
"""Time between two commands [s]."""
TURN_S = 10.0
"""Time for one turn of the skill [s]."""


def main() -> None:
    """Steers until the time is over, Ctrl-C, or an error of the client."""
    parser = argparse.ArgumentParser(description="Run a policy with a skill that turns.")
    parser.add_argument("--address", default=DEFAULT_ADDRESS)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()

    try:
        steer(arguments.address, arguments.seconds)
    except ClientError as error:
        raise SystemExit(f"steer.py: {error}") from None
    except KeyboardInterrupt:
        print("the arm holds")


def steer(address: str, seconds: float) -> None:
    """Sends the skill again and again, each time turned a little further."""
    with SkillClient(address) as client, client.acquire("steer.py"):
        size = client.server.manifest.skill.size
        start = time.monotonic()
        while (elapsed := time.monotonic() - start) < seconds:
            angle = 2 * math.pi * elapsed / TURN_S
            skill = [math.cos(angle), math.sin(angle)] + [0.0] * (size - 2)
            client.skill(skill, valid_for_s=5 * PERIOD_S)
            x, y, _ = client.state().objects["cube"].position
            print(f"skill {math.degrees(angle):4.0f} deg, cube at {x:+.3f} {y:+.3f} m")
            time.sleep(PERIOD_S)


if __name__ == "__main__":
    main()
