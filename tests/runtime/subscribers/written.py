"""Recordings that are written from given messages, without a server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from skill_proto.messages import Commanded, PolicyStep, Telemetry, Welcome
from skill_runtime.policy import OnnxPolicy
from skill_runtime.subscribers.recording.recording_file import (
    COMMANDED_CHANNEL,
    POLICY_STEP_CHANNEL,
    TELEMETRY_CHANNEL,
    RecordingFile,
)


def welcome_of(model: Path, instance: str = "a") -> Welcome:
    """Returns the description of a server of this policy file."""
    policy = OnnxPolicy(model)
    return Welcome(
        instance=instance,
        time=0.0,
        server="skill-serve test",
        robot="panda",
        backend="mujoco",
        simulated=True,
        mode="hold",
        servo_period_s=0.005,
        policy_rate_hz=25.0,
        telemetry_rate_hz=100.0,
        telemetry_address="tcp://127.0.0.1:1",
        stop_address="tcp://127.0.0.1:2",
        lease_holder=None,
        policy_file=model.name,
        policy_sha256=policy.sha256,
        manifest=policy.manifest,
    )


CHANNEL_OF = {
    Telemetry: TELEMETRY_CHANNEL,
    PolicyStep: POLICY_STEP_CHANNEL,
    Commanded: COMMANDED_CHANNEL,
}

Item = Welcome | Telemetry | PolicyStep | Commanded

Received = TypeVar("Received", bound=Telemetry | PolicyStep)


def write(path: Path, items: Iterable[Item]) -> Path:
    """Writes descriptions and messages in this order, and returns the path."""
    file = RecordingFile(path)
    for number, item in enumerate(items, 1):
        if isinstance(item, Welcome):
            file.describe(item.model_dump_json())
        else:
            file.write(
                CHANNEL_OF[type(item)], item.model_dump_json().encode(), number, number, number
            )
    file.close()
    return path


def of_server(instance: str, messages: Sequence[Received]) -> list[Received]:
    """Returns the messages as those of another server."""
    return [message.model_copy(update={"instance": instance}) for message in messages]
