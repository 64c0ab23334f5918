"""The processes beside the server of endurance.py; each role is a command.

Those that flood, watch and record are failure_peers.py's.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import tyro

from benchmarks.serving.endurance.counts import LATE_SHARE
from benchmarks.serving.failures.peers import COMMAND_PERIOD_S, say
from benchmarks.serving.tick import Config, measure_bare
from skill_proto.messages import Acquire
from skill_runtime.client.client import SkillClient
from skill_runtime.client.connection import Connection
from skill_runtime.client.errors import ClientError, CommandRefusedError

VALID_FOR_S = 0.5
TIMEOUT_S = 5.0

MAX_TURN = 6
"""Motions in one turn of a visitor."""

RESETS, STOPS, TAKES, PAUSES = 0.3, 0.3, 0.1, 0.1
"""How often: a turn begins with a fresh scene, ends with a stop; a visitor takes the lease from
whoever has it; a motion is followed by nothing for as long as a command lasts and longer."""


def bare(seconds: float, rate: float, /, spin_us: float = 0.0, realtime: bool = False) -> None:
    """A loop that does nothing, for so long [s] at so many ticks a second; says how late it was."""
    say("ok")
    config = Config(seconds=seconds, spin_us=spin_us, realtime=realtime)
    times, missed = measure_bare(config, rate)
    late = int((times[:, 1] > LATE_SHARE / rate).sum())
    say("done", begun=len(times), late=late, missed=missed)


def visitor(address: str, /, seed: int = 0) -> None:
    """Steers in turns: takes the lease, moves by skills and goals, and leaves it to others.

    It now and then resets the scene, pauses, stops the arm, or takes the lease from whoever has it;
    where the arm is stopped or at fault, it clears that. Says what came of all it has asked for.
    """
    dice = random.Random(seed)
    outcomes: Counter[str] = Counter()
    with SkillClient(address, timeout_s=TIMEOUT_S, name=f"visitor {seed}") as client:
        client.hello()
        say("ok")
        while True:
            try:
                if dice.random() < TAKES:
                    _take_over(address, dice)
                    outcomes["takeovers"] += 1
                _turn(client, dice, outcomes, f"visitor {seed}")
            except CommandRefusedError as error:
                outcomes[error.code] += 1
                if error.code == "not_now":
                    time.sleep(1.0)
                    with suppress(CommandRefusedError):  # it still moves: next time
                        client.clear()
            except ClientError as error:
                outcomes[type(error).__name__] += 1
            say("ok", **outcomes)
            time.sleep(dice.uniform(0.1, 4.0))


def _turn(client: SkillClient, dice: random.Random, outcomes: Counter[str], holder: str) -> None:
    with client.acquire(holder):
        if dice.random() < RESETS:
            client.reset(seed=dice.randrange(1000))
        for _ in range(dice.randint(1, MAX_TURN)):
            send = _motion(client, dice)
            for _ in range(dice.randint(5, 50)):
                send()
                outcomes["commands"] += 1
                time.sleep(COMMAND_PERIOD_S)
            if dice.random() < PAUSES:
                time.sleep(2 * VALID_FOR_S)
        if dice.random() < STOPS:
            client.stop("as visitors do now and then")


def _motion(client: SkillClient, dice: random.Random) -> Callable[[], None]:
    """Sends one command, the same each time: a skill, or a goal where the policy takes goals."""
    manifest, numbers = client.server.manifest, np.random.default_rng(dice.randrange(2**32))
    if manifest.goal is not None and (not manifest.skill.size or dice.random() < 0.5):
        goal = numbers.uniform(manifest.goal.low, manifest.goal.high)
        return lambda: client.goal(goal, valid_for_s=VALID_FOR_S)
    skill = numbers.standard_normal(manifest.skill.size)
    skill /= np.linalg.norm(skill)
    return lambda: client.skill(skill, valid_for_s=VALID_FOR_S)


def _take_over(address: str, dice: random.Random) -> None:
    """Takes the lease by priority, does nothing with it, and lets it run out."""
    ttl_s = dice.uniform(0.1, 1.0)
    with Connection(address, TIMEOUT_S) as channel:
        channel.ask(Acquire(holder="overseer", ttl_s=ttl_s, priority=1))
    time.sleep(1.1 * ttl_s)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt, BrokenPipeError):
        tyro.extras.subcommand_cli_from_dict({role.__name__: role for role in (bare, visitor)})
