"""Recordings that were cut off, damaged, or are none."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap.writer import MCAP0_MAGIC

from skill_runtime.subscribers.recording.reader import Recording, RecordingError
from skill_runtime.subscribers.recording.recording_file import (
    POLICY_STEP_CHANNEL,
    TELEMETRY_CHANNEL,
    RecordingFile,
)


@pytest.fixture
def file_of_five_chunks(tmp_path: Path) -> Path:
    """A file of 100 messages of 16 kB, 17 to a chunk."""
    path = tmp_path / "run.mcap"
    file, noise = RecordingFile(path), np.random.default_rng(0)
    for number in range(100):
        file.write(TELEMETRY_CHANNEL, bytes([number]) + noise.bytes(15_999), number, number, number)
    file.close()
    return path


def chunk_offsets(path: Path) -> list[int]:
    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    return [index.chunk_start_offset for index in summary.chunk_indexes]


def numbers(path: Path) -> list[int]:
    return [message.data[0] for message in Recording([path]).messages()]


def test_a_file_that_was_cut_anywhere_is_read_up_to_its_last_whole_chunk(
    file_of_five_chunks: Path, tmp_path: Path
) -> None:
    whole = file_of_five_chunks.read_bytes()
    assert numbers(file_of_five_chunks) == list(range(100))
    cut, counts = tmp_path / "cut.mcap", list[int]()
    for length in range(40, len(whole), 9973):
        cut.write_bytes(whole[:length])
        recording = Recording([cut])
        found = [message.data[0] for message in recording.messages()]
        assert found == list(range(len(found)))
        assert recording.cut_off == [cut]
        counts.append(len(found))
    assert counts == sorted(counts)
    assert len(set(counts)) == 7  # none, or one to six chunks


def test_a_damaged_chunk_ends_the_reading(file_of_five_chunks: Path) -> None:
    content = bytearray(file_of_five_chunks.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file_of_five_chunks.write_bytes(content)
    recording = Recording([file_of_five_chunks])
    found = [message.data[0] for message in recording.messages()]
    assert found == list(range(len(found)))
    assert 0 < len(found) < 100
    assert recording.cut_off == []
    (line,) = recording.faults()
    assert re.search(
        r"run\.mcap is damaged at byte \d+; only the first \d\d % of it was read", line
    )


def test_damage_anywhere_is_no_cut(file_of_five_chunks: Path) -> None:
    """Kind and length of the second chunk, the last bytes of a chunk, and the index of a chunk."""
    whole = file_of_five_chunks.read_bytes()
    second = chunk_offsets(file_of_five_chunks)[1]
    for place in (second, second + 2, second + 3, second + 8, second - 1, second + 280_000):
        content = bytearray(whole)
        content[place] ^= 0x04
        file_of_five_chunks.write_bytes(content)
        recording = Recording([file_of_five_chunks])
        list(recording.messages())
        assert (recording.cut_off, list(recording.damaged)) == ([], [file_of_five_chunks])


def test_a_damaged_length_in_a_file_that_was_cut_is_damage(file_of_five_chunks: Path) -> None:
    content = bytearray(file_of_five_chunks.read_bytes()[:-1000])
    second = chunk_offsets(file_of_five_chunks)[1]
    content[second + 3] ^= 0x80  # it seems to be 8 MB longer
    file_of_five_chunks.write_bytes(content)
    recording = Recording([file_of_five_chunks])
    assert len(list(recording.messages())) == 34  # those of the chunk are whole
    assert (recording.cut_off, recording.damaged) == ([], {file_of_five_chunks: second})


def test_a_damaged_description_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    file = RecordingFile(path)
    file.describe('{"type": "welcome"')
    file.close()
    with pytest.raises(RecordingError, match=r"description of the server in .* cannot be read"):
        Recording([path]).read_welcomes()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"PK\3\4 something else entirely", "it does not begin as an MCAP file"),
        (MCAP0_MAGIC[:5], "it ends after 5 bytes, before its first record"),
        (MCAP0_MAGIC, "it ends after 8 bytes, before its first record"),
        (MCAP0_MAGIC + bytes([1, *8 * [255]]), "its first record, at byte 8, is damaged"),
    ],
)
def test_another_file_is_no_recording(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "other.mcap"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=f"is no recording: .*{reason}"):
        list(Recording([path]).messages())


def test_a_damaged_byte_anywhere_is_no_traceback(tmp_path: Path) -> None:
    """Among them lengths that no memory can hold."""
    path = tmp_path / "run.mcap"
    file = RecordingFile(path)
    file.write(TELEMETRY_CHANNEL, b"{}", 1, 1, 1)
    file.close()
    whole = path.read_bytes()
    for place in range(8, len(whole)):
        content = bytearray(whole)
        content[place] ^= 0x80
        path.write_bytes(content)
        with suppress(RecordingError):
            recording = Recording([path])
            recording.read_welcomes()
            assert len(list(recording.messages())) <= 1


def test_a_file_without_an_index_says_what_was_read(tmp_path: Path) -> None:
    """Whether its recorder was killed or a copy was cut short cannot be told."""
    path = tmp_path / "run.mcap"
    file = RecordingFile(path)
    for number in range(50):
        file.write(TELEMETRY_CHANNEL, b"{}", number * 10**8, number * 10**8, number)
    file.flush()
    recording = Recording([path])
    assert sum(1 for _ in recording.messages()) == 50
    assert recording.faults() == [
        f"{path} ends without its index: its recorder was killed, or a copy was cut short; "
        "50 messages of 4.9 s were read"
    ]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"v": 2, "type": "policy_step"}', "has version 2, this program reads 1; use the"),
        (b'{"v": 1, "type": "policy_step"}', "is none of skill-record: step: Field required"),
        (
            b'{"type": "commanded"}',
            "is none of skill-record: .*type: Input should be 'policy_step'",
        ),
        (b'"hi"', "is none of skill-record: "),
        (b"\xff", "is none of skill-record: "),
        (b"[" * 9999, "is none of skill-record: "),
    ],
)
def test_another_message_is_named_with_its_place(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "run.mcap"
    file = RecordingFile(path)
    file.write(TELEMETRY_CHANNEL, b"{}", 1, 1, 1)
    file.write(POLICY_STEP_CHANNEL, data, 2, 2, 2)
    file.close()
    (message,) = Recording([path]).messages((POLICY_STEP_CHANNEL,))
    place = rf"message 2 of .*run\.mcap \(channel /policy_step\) {reason}"
    with pytest.raises(RecordingError, match=place):
        message.parse()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"cannot read .*gone\.mcap: No such file"):
        list(Recording([tmp_path / "gone.mcap"]).messages())
