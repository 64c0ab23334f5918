"""skill-replay: its exit codes as a process, its command line and its words."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcap.reader import make_reader
from tests.runtime.cli.subscribers.test_record import run
from tests.runtime.subscribers.replay.test_drive import commanded
from tests.runtime.subscribers.replay.test_policy_replay import pushes
from tests.runtime.subscribers.written import welcome_of, write
from tests.support.served import Served

from skill_runtime.cli.subscribers.replay import ReplayOptions, check_options, describe
from skill_runtime.cli.subscribers.server_options import SteeredServerOptions
from skill_runtime.client import SkillClient
from skill_runtime.console.flags import UsageError
from skill_runtime.subscribers.recording.recording_file import POLICY_STEP_CHANNEL, RecordingFile
from skill_runtime.subscribers.replay.result import TOLERANCE, ReplayResult

RUN = Path("run.mcap")


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


def test_a_message_of_another_version_is_named(policy_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    file = RecordingFile(path)
    file.describe(welcome_of(policy_file).model_dump_json())
    file.write(POLICY_STEP_CHANNEL, b'{"v": 2, "type": "policy_step"}', 1, 1, 1)
    file.close()
    for arguments in ((path, "--model", policy_file), (path, "--lerobot", tmp_path / "data")):
        read = run("record" if "--lerobot" in arguments else "replay", *arguments)
        assert (read.returncode, read.stdout) == (2, "")
        assert f"message 1 of {path} (channel /policy_step) has version 2, this" in read.stderr
        assert read.stderr.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_a_stopped_arm_is_driven_after_a_clear(served: Served, tmp_path: Path) -> None:
    path = write(tmp_path / "run.mcap", [commanded(1.0, type="hold")])
    with SkillClient(served.address) as client:
        client.stop("test")
    refused = run("replay", path, "--drive", "--address", served.address)
    assert refused.returncode == 1
    assert f"run skill-control clear --address {served.address}, then this" in refused.stderr
    assert "()" not in refused.stderr


def test_a_recording_without_commands_takes_no_lease(tmp_path: Path) -> None:
    """There is no server at this address."""
    path = write(tmp_path / "run.mcap", [commanded(1.0, type="renew")])
    idle = run("replay", path, "--drive", "--address", "tcp://127.0.0.1:1")
    assert (idle.returncode, idle.stderr) == (1, "")
    assert idle.stdout == "the recording has no commands that move an arm\n"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (ReplayOptions(files=()), "name a recording"),
        (ReplayOptions(files=(), drive=True), "name a recording"),
        (ReplayOptions(files=(RUN, Path("b.mcap"), RUN.absolute())), "is the same file as run"),
        (ReplayOptions(files=(RUN,), drive=True, model=Path("a.onnx")), "omit either"),
        (ReplayOptions(files=(RUN,), drive=True, tolerance=0.1), "omit either"),
        (ReplayOptions(files=(RUN,), server=SteeredServerOptions(key="k")), "are for --drive"),
    ],
)
def test_a_flag_without_an_effect_is_refused(options: ReplayOptions, error: str) -> None:
    with pytest.raises(UsageError, match=error):
        check_options(options)


def test_help_names_the_role_that_a_drive_needs() -> None:
    assert "it needs the role `controller`" in " ".join(
        run("replay", "--help").stdout.replace("│", "").split()
    )


def test_steps_without_their_past_are_not_said_to_need_a_recurrent_state() -> None:
    text = describe(ReplayResult(replayed=9, unknown=1, resets=2), TOLERANCE)
    assert "9 policy steps replayed, 2 resets of the policy" in text
    assert "1 steps were not replayed: they depend on steps before them" in text
    assert "recurrent" not in text
