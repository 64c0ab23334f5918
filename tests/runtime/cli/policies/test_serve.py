"""skill-serve --service-only as a user runs it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.support.served_process import free_ports

from skill_runtime.cli.policies.serve import status_line
from skill_runtime.policy_service.config import Counts

MODELS = Path(__file__).parents[4] / "models"
SERVE = [sys.executable, "-c", "from skill_runtime.cli.entry import serve; serve()"]
CONTROL = [sys.executable, "-c", "from skill_runtime.cli.entry import control; control()"]


def test_banner_models_swap_and_ctrl_c(tmp_path: Path) -> None:
    port = free_ports()
    model = f"push={MODELS / 'csf_panda.onnx'}"
    running = subprocess.Popen(
        [*SERVE, "--service-only", "--model", model, "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert running.stdout is not None
        lines = [running.stdout.readline()]
        while not lines[-1].startswith("try"):
            lines.append(running.stdout.readline())
            assert lines[-1], lines
        address = f"tcp://127.0.0.1:{port}"
        assert "policy service without an arm" in lines[0]
        assert "push (csf) at 25 Hz" in "".join(lines)
        assert lines[-1].split() == ["try", "skill-control", "models", "--address", address]
        at = ["--address", address]
        listed = subprocess.check_output([*CONTROL, "models", *at], text=True)
        assert listed.startswith("name        push\n")
        swapped = subprocess.run(
            [*CONTROL, "swap", "push", "no.onnx", *at], capture_output=True, text=True, check=False
        )
        assert (swapped.returncode, swapped.stdout) == (2, "")
        assert "no.onnx" in swapped.stderr
        running.send_signal(signal.SIGINT)
        rest = running.communicate(timeout=60)[0]
    finally:
        running.kill()
    assert running.returncode == 0
    assert rest.rstrip().endswith("skill-serve: the socket is closed")
    assert "Traceback" not in rest


def test_a_file_that_cannot_be_served_ends_the_program_with_one_line(tmp_path: Path) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no model")
    command = [*SERVE, "--service-only", "--model", str(bad), "--port", str(free_ports())]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"skill-serve: {bad}")
    assert "Traceback" not in ended.stderr


def test_the_status_line_gives_rates_and_counts() -> None:
    counts = Counts(answered=300, late=2, refused=1, inferences=100)
    line = status_line(Counts(), counts, 2.0, (3, 5))
    assert line == (
        "3 sessions with 5 rows, 150 answers/s, 3.0 requests an inference, answered 300, late 2, "
        "refused 1"
    )
