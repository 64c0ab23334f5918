"""skill-replay as a process: its exit codes."""

from __future__ import annotations

from pathlib import Path

from mcap.reader import make_reader
from tests.runtime.cli.subscribers.test_record import run
from tests.runtime.subscribers.replay.test_policy_replay import pushes
from tests.runtime.subscribers.written import welcome_of, write


def test_a_damaged_recording_is_no_success(policy_file: Path, tmp_path: Path) -> None:
    """The damage follows all messages, so no action differs."""
    path = write(tmp_path / "run.mcap", [welcome_of(policy_file), *pushes(policy_file)])
    whole = run("replay", path, "--model", policy_file)
    assert (whole.returncode, "no action differs" in whole.stdout) == (0, True)
    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    (chunk,) = summary.chunk_indexes
    end = chunk.chunk_start_offset + chunk.chunk_length + chunk.message_index_length
    content = bytearray(path.read_bytes())
    content[end + 9] ^= 1  # the checksum, after kind and length
    path.write_bytes(content)
    damaged = run("replay", path, "--model", policy_file)
    assert "10 policy steps replayed" in damaged.stdout
    assert f"{path} is damaged at byte {end}" in damaged.stdout
    assert (damaged.returncode, damaged.stderr) == (1, "")


def test_a_policy_file_that_does_not_exist_is_a_mistake(policy_file: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "run.mcap", [welcome_of(policy_file), *pushes(policy_file)])
    wrong = run("replay", path, "--model", tmp_path / "typo.onnx")
    assert (wrong.returncode, "Traceback" in wrong.stderr) == (2, False)
    assert "typo.onnx" in wrong.stderr
