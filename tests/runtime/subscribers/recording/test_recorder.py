"""The content of a recording of a real server."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from mcap.reader import make_reader
from numpy.random import default_rng
from tests.runtime.subscribers.recorded import EAST, NORTH, STEPS
from tests.runtime.subscribers.written import welcome_of

from skill_proto.messages import Commanded, PolicyStep, Telemetry, Welcome
from skill_runtime.console.streams import OutputError
from skill_runtime.subscribers.recording.reader import Recording
from skill_runtime.subscribers.recording.recorder import FLUSH_S, READ_S, MessageCount, Recorder
from skill_runtime.subscribers.recording.recording_file import (
    CHANNELS,
    COMMANDED_CHANNEL,
    POLICY_STEP_CHANNEL,
    TELEMETRY_CHANNEL,
    RecordingFile,
)
from skill_runtime.subscribers.recording.rotation import RecordingFiles, Rotation
from skill_runtime.subscribers.subscription import Subscription


def messages(path: Path, channel: str) -> list[Telemetry | PolicyStep | Commanded]:
    return [message.parse() for message in Recording([path]).messages((channel,))]


def test_every_policy_step_is_recorded_with_the_resets_of_the_state(recording_file: Path) -> None:
    steps = messages(recording_file, POLICY_STEP_CHANNEL)
    assert all(isinstance(step, PolicyStep) for step in steps)
    found = [step for step in steps if isinstance(step, PolicyStep)]
    assert [step.step for step in found] == list(range(1, len(found) + 1))
    assert len(found) >= 3 * STEPS
    assert found[0].state_age == 0
    assert sum(step.state_age == 0 for step in found) == 2
    assert [*dict.fromkeys(step.skill for step in found)] == [tuple(EAST), tuple(NORTH)]


def test_commands_are_recorded_with_client_and_result(recording_file: Path) -> None:
    found = messages(recording_file, COMMANDED_CHANNEL)
    commands = [item for item in found if isinstance(item, Commanded)]
    kinds = [item.command["type"] for item in commands if item.command["type"] != "renew"]
    assert [*dict.fromkeys(kinds)] == ["acquire", "reset", "skill", "hold", "release"]
    assert {item.client for item in commands} == {"tester"}
    assert {item.result for item in commands} == {"ok"}
    assert len({item.lease for item in commands}) == 1
    assert [item.seq for item in commands] == list(range(1, len(commands) + 1))


def test_telemetry_is_recorded_as_it_came(recording_file: Path) -> None:
    states = messages(recording_file, TELEMETRY_CHANNEL)
    seqs = [state.seq for state in states if isinstance(state, Telemetry)]
    assert seqs == sorted(set(seqs))
    recording = Recording([recording_file])
    assert {message.channel for message in recording.messages()} == set(CHANNELS)
    (welcome,) = recording.welcomes.values()
    assert welcome.instance == states[0].instance
    assert recording.cut_off == []


def test_other_programs_read_the_file_by_its_index(recording_file: Path) -> None:
    with recording_file.open("rb") as file:
        reader = make_reader(file)
        summary = reader.get_summary()
        assert summary is not None
        assert {channel.topic for channel in summary.channels.values()} == set(CHANNELS)
        assert {channel.message_encoding for channel in summary.channels.values()} == {"json"}
        assert [record.name for record in reader.iter_metadata()] == ["server"]


def test_a_file_is_not_overwritten(recording_file: Path) -> None:
    before = recording_file.read_bytes()
    with pytest.raises(OutputError, match="it exists, and a recording overwrites no file"):
        RecordingFile(recording_file)
    assert recording_file.read_bytes() == before


def test_files_follow_each_other_by_size(recording_file: Path, tmp_path: Path) -> None:
    (welcome,) = _read(Recording([recording_file])).welcomes.values()
    files, noise = RecordingFiles(tmp_path / "run.mcap", Rotation(size_mb=1.0)), default_rng(0)
    files.describe(welcome.model_dump_json())
    for number in range(100):
        files.write(TELEMETRY_CHANNEL, noise.bytes(30_000), number, number, number)
    files.close()
    assert [path.name for path in files.paths] == [f"run-{n:03d}.mcap" for n in (1, 2, 3)]
    for path in files.paths:  # each describes the server and has an index
        recording = _read(Recording([path]))
        assert recording.welcomes == {welcome.instance: welcome}
        assert recording.cut_off == []
    together = [message.log_ns for message in Recording(files.paths).messages()]
    assert together == list(range(100))


def _read(recording: Recording) -> Recording:
    for _ in recording.messages():
        pass
    return recording


def test_files_follow_each_other_by_time(tmp_path: Path) -> None:
    now = [0.0]
    files = RecordingFiles(tmp_path / "a.mcap", Rotation(minutes=1.0), lambda: now[0])
    files.write(TELEMETRY_CHANNEL, b"{}", 1, 1, 1)
    now[0] = 61.0
    files.write(TELEMETRY_CHANNEL, b"{}", 2, 2, 2)
    files.close()
    assert [path.name for path in files.paths] == ["a-001.mcap", "a-002.mcap"]
    assert files.size == sum(path.stat().st_size for path in files.paths)


def test_a_gap_in_the_numbers_is_counted_as_lost() -> None:
    channel = MessageCount()
    for number in (4, 5, 9, 10):
        channel.count(number)
    assert (channel.recorded, channel.lost) == (4, 3)
    channel.count(1)  # a gateway that was started again counts anew
    assert channel.lost == 3


class Messages(Subscription):
    """Messages that arrive at given times of a clock; None: none arrives."""

    def __init__(self, welcome: Welcome, times: Iterable[float | None]) -> None:
        self.welcome = welcome
        self.now = 0.0
        self._times = iter(times)

    def read(self, timeout_s: float) -> list[bytes] | None:
        time = next(self._times)
        if time is None:
            self.now += timeout_s
            return None
        self.now = time
        return [b'{"instance": "a", "seq": 1, "time": 1.0}']


def test_no_message_is_older_than_a_second_before_it_is_in_the_file(
    tmp_path: Path, policy_file: Path
) -> None:
    times = [0.1 * n for n in range(30)]
    messages = Messages(welcome_of(policy_file), [*times, None])
    files = RecordingFiles(tmp_path / "run.mcap")
    recorder = Recorder(messages, files, lambda: messages.now, lambda: 1)
    for n, time in enumerate(times, 1):
        recorder.step()
        written = sum(1 for _ in Recording(files.paths).messages())
        assert written == n or time - times[written] <= FLUSH_S
    assert written < len(times)
    recorder.step()  # nothing arrives
    assert sum(1 for _ in Recording(files.paths).messages()) == len(times)
    assert FLUSH_S + READ_S <= 1.0
