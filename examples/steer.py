"""Steers a served arm in circles through its skills.

Start `skill-serve --model models/csf_panda.onnx` in one terminal and this in another:

    python examples/steer.py --seconds 20

The skill is a direction; this turns it slowly, so that the cube is pushed along a curve. If this
program ends, in whatever way, the arm holds.
"""

from __future__ import annotations

import argparse
import math
import time

from skill_proto.ports import DEFAULT_ADDRESS
from skill_runtime.client.client import SkillClient
from skill_runtime.client.errors import ClientError

PERIOD_S = 0.1
"""Time between two commands [s]."""
TURN_S = 10.0
"""Time in which the skill turns once [s]."""


def main() -> None:
    """Steers until the time is over, Ctrl-C, or something that cannot be done."""
    parser = argparse.ArgumentParser(description="Steer an arm in circles through its skills.")
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
    """Repeats the skill, a little turned each time."""
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
