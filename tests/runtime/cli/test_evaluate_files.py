"""The files of skill-eval: written before its table, whole or not at all, never over another."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.children import child_process
from tests.support.opengl import require_opengl

PROGRAM = Path(sys.executable).parent / "skill-eval"
SMALL = ("--skills", "2", "--episodes", "1", "--goals", "0")
SHORT_S, LONG_S = 0.02, 120.0


def command(*arguments: object) -> list[str]:
    return [str(PROGRAM), *map(str, arguments)]


def test_the_policy_is_not_replaced(policy_file: Path, tmp_path: Path) -> None:
    model = tmp_path / "policy.onnx"
    model.write_bytes(policy_file.read_bytes())
    done = subprocess.run(
        command("--model", model, *SMALL, "--json", model),
        capture_output=True,
        text=True,
        timeout=LONG_S,
        check=False,
    )
    assert done.returncode == 2, done
    assert f"--json {model} is the file of --model; name another file" in done.stderr
    assert model.read_bytes() == policy_file.read_bytes()


def test_the_files_do_not_depend_on_standard_output(policy_file: Path, tmp_path: Path) -> None:
    unbuffered = {**os.environ, "PYTHONUNBUFFERED": "1"}
    reader, writer = os.pipe()
    os.close(reader)
    path = tmp_path / "gone.json"
    done = subprocess.run(
        command("--model", policy_file, *SMALL, "--json", path),
        env=unbuffered,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=LONG_S,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, "settings" in json.loads(path.read_text())) == (0, True)
    path = tmp_path / "full.json"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command("--model", policy_file, *SMALL, "--json", path),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=LONG_S,
            check=False,
        )
    assert done.returncode == 1
    assert b"cannot write standard output" in done.stderr
    assert "settings" in json.loads(path.read_text())


@pytest.mark.parametrize(("flag", "name"), [("--plot", "fan.png"), ("--json", "scores.json")])
def test_a_full_disk_leaves_the_earlier_file_and_the_table(
    policy_file: Path, tmp_path: Path, flag: str, name: str
) -> None:
    path = tmp_path / name
    path.write_text("earlier")
    done = subprocess.run(
        command("--model", policy_file, *SMALL, flag, path),
        capture_output=True,
        text=True,
        timeout=LONG_S,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )
    assert done.returncode == 1, done
    assert f"skill-eval: cannot write {path}: File too large" in done.stderr
    assert "moved_share_3cm" in done.stdout
    assert [one.read_text() for one in tmp_path.iterdir()] == ["earlier"]


def test_an_interrupt_names_the_files_that_exist(tmp_path: Path) -> None:
    require_opengl()
    scores, film = tmp_path / "scores.json", tmp_path / "film.gif"
    flags = ("--baseline", "iid", "--world", "half_cheetah", "--skills", "6")
    with child_process(
        command(*flags, "--json", scores, "--video", film),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        ends = time.monotonic() + LONG_S
        while not scores.exists() and time.monotonic() < ends:
            time.sleep(SHORT_S)
        program.send_signal(signal.SIGINT)
        printed, errors = program.communicate(timeout=LONG_S)
    assert program.returncode == 130, errors
    assert f"interrupted; written: {scores}; not written: {film}\n" in errors
    assert "coverage_cells" in printed
    assert not film.exists()
