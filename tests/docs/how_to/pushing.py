"""A program that pushes the cube while a command of a page watches."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

from tests.support.served import DEADLINE_S, state_when

from skill_runtime.client import SkillClient

PERIOD_S = 0.2

STEPS = 30
"""Steps of the policy that a recording has at least; 25 are taken in a second."""


@contextmanager
def pushing(address: str) -> Generator[Callable[[], None]]:
    """Pushes the cube of a server until the end of the block.

    Args:
        address: Address of the server.

    Yields:
        A function that waits for more steps of the policy.
    """
    ended = threading.Event()

    def push() -> None:
        with SkillClient(address, timeout_s=DEADLINE_S) as client, client.acquire("pushes"):
            while not ended.wait(PERIOD_S):
                client.skill((1.0, 0.0), valid_for_s=2.0)

    def wait() -> None:
        with SkillClient(address, timeout_s=DEADLINE_S) as client:
            before = client.state().policy_steps
            state_when(client, lambda state: state.policy_steps > before + STEPS)

    thread = threading.Thread(target=push, name="pushes")
    thread.start()
    try:
        yield wait
    finally:
        ended.set()
        thread.join()
