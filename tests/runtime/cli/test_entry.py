"""Ctrl-C while a program starts: no traceback, and the right exit code."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.served import DEADLINE_S

PROGRAM = """
import sys
from skill_runtime.cli import entry
from skill_runtime.console import interrupts
sys.argv = {argv!r}
interrupts.end_at_interrupt()
print("up", flush=True)
entry.{name}()
"""

INTERRUPTED_WHILE_BUILDING = """
import os, signal, sys
from skill_runtime.cli import serve

build_server = serve.build_server

def interrupted(arguments):
    server = build_server(arguments)
    os.kill(os.getpid(), signal.{signal})
    return server

serve.build_server = interrupted
sys.argv = ["skill-serve", "--model", {model!r}, "--commands", "tcp://127.0.0.1:*",
            "--telemetry", "tcp://127.0.0.1:*", "--stop", "tcp://127.0.0.1:*"]
serve.main()
"""


def interrupt(name: str, argv: list[str], after_s: float) -> tuple[int, str]:
    """Returns exit code and output of a program that is interrupted ``after_s`` after its start."""
    program = PROGRAM.format(name=name, argv=[f"skill-{name}", *argv])
    running = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "up\n"
    time.sleep(after_s)
    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=DEADLINE_S)
    return running.returncode, output


@pytest.mark.parametrize("after_s", [0.05, 0.4, 1.0, 2.0])
def test_serving(policy_file: Path, after_s: float) -> None:
    any_port = "tcp://127.0.0.1:*"
    sockets = ["--commands", any_port, "--telemetry", any_port, "--stop", any_port]
    code, output = interrupt("serve", ["--model", str(policy_file), *sockets], after_s)
    assert "Traceback" not in output
    # The load of the machine decides which of the two.
    assert (code == 130 and output == "") or (code == 0 and "the arm is at rest" in output)


@pytest.mark.parametrize("after_s", [0.05, 0.4])
def test_controlling(after_s: float) -> None:
    code, output = interrupt("control", ["hello", "--address", "tcp://127.0.0.1:1"], after_s)
    assert "Traceback" not in output
    assert code in (130, 1)


@pytest.mark.parametrize("after_s", [0.05, 0.4, 1.5])
def test_evaluating(after_s: float) -> None:
    code, output = interrupt("evaluate", ["--baseline", "still", "--episodes", "50"], after_s)
    assert code == 130
    assert "Traceback" not in output


@pytest.mark.parametrize("after_s", [0.05, 0.4, 2.0])
def test_examining(policy_file: Path, after_s: float) -> None:
    code, output = interrupt("doctor", ["--model", str(policy_file), "--seconds", "60"], after_s)
    assert code == 130
    assert "Traceback" not in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_server_is_built_ends_it_before_it_serves(
    policy_file: Path, number: signal.Signals
) -> None:
    program = INTERRUPTED_WHILE_BUILDING.format(model=str(policy_file), signal=number.name)
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "")
