"""Pushes the cube along +y; start `make serve` first."""

from skill_runtime.client import SkillClient

with SkillClient() as client, client.acquire("quickstart"):
    while client.state().objects["cube"].position[1] < 0.2:
        client.skill((0.0, 1.0), valid_for_s=0.2)  # expires unless it is sent again
