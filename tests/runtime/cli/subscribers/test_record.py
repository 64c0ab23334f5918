"""skill-record, skill-replay and skill-metrics as processes, beside a real server."""

from __future__ import annotations

import re
import resource
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.served import Served, until
from tests.support.served_process import free_ports

from skill_runtime.cli.subscribers.record import RecordOptions, check_options
from skill_runtime.cli.subscribers.server_options import ServerOptions
from skill_runtime.console.flags import UsageError
from skill_runtime.subscribers.recording.reader import Recording

PROGRAM = "from skill_runtime.cli import entry; entry.{}()"


def run(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(name), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
    )


@contextmanager
def started(
    name: str, *arguments: object, before: Callable[[], None] | None = None
) -> Generator[subprocess.Popen[str]]:
    """Runs a program until it ends, or the block does."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(name), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def count(path: Path) -> tuple[int, bool]:
    """Returns the number of messages of a recording, and whether it was cut off."""
    recording = Recording([path])
    return sum(1 for _ in recording.messages()), bool(recording.cut_off)


def grown(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size > size


def test_a_killed_recorder_leaves_all_whole_chunks(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    with started("record", path, "--address", served.address) as process:
        until(lambda: grown(path, 20_000))
        process.send_signal(signal.SIGKILL)
        process.wait()
    messages, is_cut = count(path)
    assert messages > 100
    assert is_cut


def test_a_full_disk_ends_the_recording_with_a_readable_file(
    served: Served, tmp_path: Path
) -> None:
    path = tmp_path / "run.mcap"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (25_000, 25_000))

    with started("record", path, "--address", served.address, before=limit) as process:
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert re.search(r"cannot write .*run\.mcap: File too large; .*is readable", errors)
    assert "Traceback" not in errors
    messages, is_cut = count(path)
    assert messages > 50
    assert is_cut


def test_a_signal_closes_the_file(served: Served, tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    with started("record", path, "--address", served.address) as process:
        until(lambda: grown(path, 1000))
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert re.search(r"run\.mcap: \d\.\d min, 0\.\d\d MB, \d+ states, 0 policy steps", output)
    messages, is_cut = count(path)
    assert messages > 0
    assert not is_cut
    replayed = run("replay", path)
    assert replayed.returncode == 1
    assert "the recording has no policy steps" in replayed.stdout


def test_mistakes_are_named(tmp_path: Path) -> None:
    wrong = run("record", tmp_path / "run.bag")
    assert (wrong.returncode, "must end with .mcap" in wrong.stderr) == (2, True)
    gone = run("replay", tmp_path / "gone.mcap")
    assert (gone.returncode, "No such file" in gone.stderr) == (2, True)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"seconds": 3.0}, "are for a new recording"),
        ({"rotate_mb": 5.0}, "are for a new recording"),
        ({"rotate_minutes": 5.0}, "are for a new recording"),
        ({"server": ServerOptions(address="tcp://127.0.0.1:5655")}, "are for a new recording"),
    ],
)
def test_an_export_refuses_the_flags_of_a_recording(options: dict[str, Any], error: str) -> None:
    file = Path("run.mcap")
    with pytest.raises(UsageError, match=error):
        check_options(RecordOptions(file=file, lerobot=Path("data"), **options))
    check_options(RecordOptions(file=file, **options))


def test_a_recording_that_exists_is_a_mistake(tmp_path: Path) -> None:
    """It is found before the server is asked; there is none."""
    path = tmp_path / "run.mcap"
    path.touch()
    (tmp_path / "long-001.mcap").symlink_to("nowhere")
    for arguments, name in (((path,), path), ((tmp_path / "long.mcap", "--rotate-mb", 1), "-001")):
        exists = run("record", *arguments, "--address", "tcp://127.0.0.1:1")
        assert exists.returncode == 2
        assert f"{name}" in exists.stderr
        assert "exists, and a recording overwrites no file; name a new one" in exists.stderr
    assert path.stat().st_size == 0


def test_a_wrong_word_is_explained_without_the_types_of_python(tmp_path: Path) -> None:
    wrong = run("record", tmp_path / "run.mcap", "--fps", "abc")
    assert wrong.returncode == 2
    assert "Error parsing --fps: invalid literal for int()" in wrong.stderr
    assert "NoneType" not in wrong.stderr


def test_the_metrics_end_if_no_server_can_ever_answer() -> None:
    ended = run("metrics", "--address", "foo", "--port", free_ports())
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "'foo' is not an address" in ended.stderr


def test_a_wrong_address_or_key_file_is_a_mistake(tmp_path: Path) -> None:
    address = run("record", tmp_path / "run.mcap", "--address", "foo")
    assert (address.returncode, "'foo' is not an address" in address.stderr) == (2, True)
    keys = ("--key", tmp_path / "gone.key", "--server-key", tmp_path / "gone.pub")
    key = run("record", tmp_path / "run.mcap", *keys)
    assert (key.returncode, "gone.key cannot be read" in key.stderr) == (2, True)


def test_metrics_are_served_on_loopback(served: Served) -> None:
    port = free_ports()
    with started("metrics", "--address", served.address, "--port", port) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        assert address == f"http://127.0.0.1:{port}/metrics"

        def text() -> str:
            with urllib.request.urlopen(address) as reply:
                return reply.read().decode()

        until(lambda: "skill_serve_up 1.0" in text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
