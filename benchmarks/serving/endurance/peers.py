"""Client processes of the endurance benchmark; each role is a command.

The flood, the subscribers and the recorder are in benchmarks.serving.failures.peers.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import tyro

from benchmarks.serving.failures.peers import COMMAND_PERIOD_S, emit
from skill_proto.messages import Acquire
from skill_runtime.client import ClientError, CommandRefusedError, Connection, SkillClient

VALID_FOR_S = 0.5
TIMEOUT_S = 5.0

MAX_MOTIONS = 6
"""Largest number of motions in one turn of a visitor."""

RESET_SHARE = 0.3
"""Share of turns that begin with a reset of the scene."""
STOP_SHARE = 0.3
"""Share of turns that end with a stop."""
TAKEOVER_SHARE = 0.1
"""Share of turns before which a visitor takes the lease from its holder."""
PAUSE_SHARE = 0.1
"""Share of motions that are followed by a pause, in which the command expires."""


def visitor(address: str, /, seed: int = 0) -> None:
    """Commands the arm in turns and prints the outcomes of its requests.

    A turn acquires the lease, sends skills and goals, and releases the lease. At random, a visitor
    also resets the scene, pauses, stops the arm, or takes the lease from its holder. It sends
    ``clear`` if the arm is stopped or has a fault.
    """
    dice = random.Random(seed)
    outcomes: Counter[str] = Counter()
    with SkillClient(address, timeout_s=TIMEOUT_S, name=f"visitor {seed}") as client:
        client.hello()
        emit("ok")
        while True:
            try:
                if dice.random() < TAKEOVER_SHARE:
                    _take_over(address, dice)
                    outcomes["takeovers"] += 1
                _turn(client, dice, outcomes, f"visitor {seed}")
            except CommandRefusedError as error:
                outcomes[error.code] += 1
                if error.code == "not_now":
                    time.sleep(1.0)
                    with suppress(CommandRefusedError):  # the arm still moves: retry next turn
                        client.clear()
            except ClientError as error:
                outcomes[type(error).__name__] += 1
            emit("ok", **outcomes)
            time.sleep(dice.uniform(0.1, 4.0))


def _turn(client: SkillClient, dice: random.Random, outcomes: Counter[str], holder: str) -> None:
    with client.acquire(holder):
        if dice.random() < RESET_SHARE:
            client.reset(seed=dice.randrange(1000))
        for _ in range(dice.randint(1, MAX_MOTIONS)):
            send = _motion(client, dice)
            for _ in range(dice.randint(5, 50)):
                send()
                outcomes["commands"] += 1
                time.sleep(COMMAND_PERIOD_S)
            if dice.random() < PAUSE_SHARE:
                time.sleep(2 * VALID_FOR_S)
        if dice.random() < STOP_SHARE:
            client.stop("random stop of a visitor")


def _motion(client: SkillClient, dice: random.Random) -> Callable[[], None]:
    """Draws a skill, or a goal if the policy takes goals; returns a function that sends it."""
    manifest, numbers = client.server.manifest, np.random.default_rng(dice.randrange(2**32))
    if manifest.goal is not None and (not manifest.skill.size or dice.random() < 0.5):
        goal = numbers.uniform(manifest.goal.low, manifest.goal.high)
        return lambda: client.goal(goal, valid_for_s=VALID_FOR_S)
    skill = numbers.standard_normal(manifest.skill.size)
    skill /= np.linalg.norm(skill)
    return lambda: client.skill(skill, valid_for_s=VALID_FOR_S)


def _take_over(address: str, dice: random.Random) -> None:
    """Takes the lease by priority, sends no command, and lets the lease expire."""
    ttl_s = dice.uniform(0.1, 1.0)
    with Connection(address, TIMEOUT_S) as connection:
        connection.ask(Acquire(holder="overseer", ttl_s=ttl_s, priority=1))
    time.sleep(1.1 * ttl_s)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt, BrokenPipeError):
        tyro.extras.subcommand_cli_from_dict({role.__name__: role for role in (visitor,)})
