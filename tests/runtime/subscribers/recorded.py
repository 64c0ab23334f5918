"""A recording of a real server in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.support.served import DEADLINE_S, Served, serving, until

from skill_proto.topics import TOPICS
from skill_runtime.client import SkillClient
from skill_runtime.subscribers.recording.recorder import Recorder
from skill_runtime.subscribers.recording.recording_file import COMMANDED_CHANNEL, TELEMETRY_CHANNEL
from skill_runtime.subscribers.recording.rotation import RecordingFiles, Rotation
from skill_runtime.subscribers.subscription import Subscription

EAST, NORTH = [1.0, 0.0], [0.0, 1.0]
STEPS = 20
"""Policy steps under each skill, about."""


@contextmanager
def recorder(served: Served, path: Path, rotation: Rotation | None = None) -> Generator[Recorder]:
    """Records the server into a file until the end of the block."""
    ended = threading.Event()
    with SkillClient(served.address, timeout_s=DEADLINE_S) as client:
        subscription = Subscription(client, TOPICS)
        files = RecordingFiles(path, rotation)
        recorder = Recorder(subscription, files)
        thread = threading.Thread(target=recorder.run, args=(ended.is_set, lambda _: None))
        thread.start()
        try:
            until(lambda: recorder.channels[TELEMETRY_CHANNEL].recorded > 0)
            yield recorder
        finally:
            ended.set()
            thread.join()
            files.close()
            subscription.close()


def move(client: SkillClient, skill: list[float], steps: int = STEPS) -> None:
    """Runs the policy for this many steps, or a few more, with the skill in force."""
    ends = time.monotonic() + DEADLINE_S
    first: int | None = None
    while first is None or client.state().policy_steps < first + steps:
        client.skill(skill, valid_for_s=5.0)
        time.sleep(0.05)
        state = client.state()
        if first is None and state.skill == tuple(skill):
            first = state.policy_steps
        assert time.monotonic() < ends


def record(model: Path, path: Path) -> None:
    """Records two skills in an episode, and one in another."""
    with (
        serving(model) as served,
        recorder(served, path) as running,
        SkillClient(served.address, timeout_s=DEADLINE_S, name="tester") as client,
    ):
        client.acquire("tester", ttl_s=10.0)
        client.reset(seed=1)
        move(client, EAST)
        move(client, NORTH)
        client.hold()  # else a step may follow the reset with this skill, before the next command
        client.reset(seed=2)
        move(client, EAST)
        client.hold()
        commands = running.channels[COMMANDED_CHANNEL]
        until(lambda: commands.recorded >= 7)
