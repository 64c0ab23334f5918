"""The size of a recording at the full rate of telemetry."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import zmq
from tests.support.served import FREE_PORTS, LocalServer

from skill_proto.topics import TOPICS
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_runtime.realtime.clock import ManualClock
from skill_runtime.server.arm_server import ServeConfig
from skill_runtime.subscribers.recording.recorder import FLUSH_S
from skill_runtime.subscribers.recording.recording_file import (
    POLICY_STEP_CHANNEL,
    TELEMETRY_CHANNEL,
    RecordingFile,
)

MODEL = Path(__file__).parents[4] / "models/csf_panda.onnx"
STATES = 600
FLUSHED_STATES = round(100 * FLUSH_S)


def test_a_minute_takes_one_and_a_half_megabytes(tmp_path: Path) -> None:
    """In virtual time no state is skipped; ten seconds of a moving arm, 4 states to a step."""
    clock = ManualClock(1000.0)
    config = ServeConfig(model=MODEL, addresses=FREE_PORTS)
    file = RecordingFile(tmp_path / "run.mcap")
    counts = {TELEMETRY_CHANNEL: 0, POLICY_STEP_CHANNEL: 0}
    with (
        closing(LocalServer(MujocoArm(seed=1), config, clock)) as server,
        zmq.Context() as context,
        context.socket(zmq.SUB) as socket,
    ):
        for topic in (*TOPICS, b""):
            socket.subscribe(topic)
        socket.connect(server.addresses.telemetry)
        while counts[TELEMETRY_CHANNEL] < STATES:
            server.tick()
            clock.sleep_until(clock.now() + 0.005)
            while socket.poll(0):
                frames = socket.recv_multipart()
                channel = TELEMETRY_CHANNEL if len(frames) == 1 else POLICY_STEP_CHANNEL
                counts[channel] += 1
                file.write(channel, frames[-1], 1, 1, 1)
                if len(frames) == 1 and counts[channel] % FLUSHED_STATES == 0:
                    file.flush()
    file.close()
    megabytes = (tmp_path / "run.mcap").stat().st_size / 1e6
    assert counts[POLICY_STEP_CHANNEL] >= STATES / 4 - 2
    assert 1.2 < megabytes * 6000 / STATES < 1.8
