"""All programs: their version, Ctrl-C while they start, and output that cannot be written."""

from __future__ import annotations

import importlib
import os
import pty
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.support.children import child_process
from tests.support.served import DEADLINE_S, Served, state_when
from tests.support.served_process import free_ports

from skill_runtime.client import SkillClient

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

server_options = serve.server_options

def interrupted(arguments):
    os.kill(os.getpid(), signal.{signal})
    return server_options(arguments)

serve.server_options = interrupted
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


# Version ------------------------------------------------------------------------------------------

NAMES = {
    "serve": "skill-serve",
    "control": "skill-control",
    "evaluate": "skill-eval",
    "doctor": "skill-doctor",
}

SCRIPTS = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"][
    "scripts"
]
"""Entry point of each program by its name."""

RUNTIME = {
    entry.split(":")[1]: name
    for name, entry in SCRIPTS.items()
    if entry.startswith("skill_runtime.")
}

RUNS = """
import sys
from skill_runtime.cli import entry
name = sys.argv.pop(1)
try:
    getattr(entry, name)()
finally:
    heavy = {"numpy", "mujoco", "onnxruntime", "zmq", "tyro", "pydantic"} & set(sys.modules)
    if "--version" in sys.argv and heavy:
        sys.stderr.write(f"imported {heavy}")
"""


def run(name: str, *arguments: str, stdout: int = subprocess.PIPE) -> tuple[int, str, str]:
    """Returns exit code, output and errors of a program."""
    done = subprocess.run(
        [sys.executable, "-c", RUNS, name, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("name", RUNTIME)
def test_each_program_prints_its_version_without_loading_itself(name: str) -> None:
    code, output, errors = run(name, "--version")
    assert (code, errors) == (0, "")
    assert output.startswith(f"{RUNTIME[name]} ")
    assert "mujoco" in output


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_help_ends_its_description_with_version_and_exit_codes(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module, function = SCRIPTS[name].split(":")
    private = f"_{function}" if module.startswith("skill_runtime.") else function
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as end:
        getattr(importlib.import_module(module), private)()
    assert end.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith(f"usage: {name} ")
    assert "--version prints the version" in said
    assert "Exit codes: 0 done, 1 " in said


def test_a_version_is_printed_beside_other_flags() -> None:
    assert run("serve", "--model", "nowhere.onnx", "--version")[0] == 0


def test_a_flag_of_a_subcommand_is_not_the_version() -> None:
    code, output, _ = run("control", "stop", "--version", "--address", "tcp://127.0.0.1:1")
    assert code != 0
    assert "skill-control 0" not in output


# Output that cannot be written --------------------------------------------------------------------


FULL = (
    "cannot write standard output: No space left on device; "
    "free some space, or send the output elsewhere\n"
)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *((name, ["--version"]) for name in NAMES),
        *((name, ["--help"]) for name in NAMES),
        (
            "evaluate",
            ["--baseline", "still", "--skills", "8", "--episodes", "1", "--goals", "0"],
        ),
    ],
)
def test_a_full_disk_is_one_line_and_exit_code_1(name: str, arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        code, _, errors = run(name, *arguments, stdout=full.fileno())
    assert code == 1
    assert errors.endswith(f"{NAMES[name]}: {FULL}")
    assert "Traceback" not in errors


@pytest.mark.parametrize("arguments", [["hello"], ["watch", "--count", "1"]])
def test_a_full_disk_is_an_error_for_words_of_a_server(
    arguments: list[str], served: Served
) -> None:
    with open("/dev/full", "w") as full:
        done = run("control", *arguments, "--address", served.address, stdout=full.fileno())
    assert done == (1, None, f"skill-control: {FULL}")


def test_a_command_moves_the_arm_though_its_output_cannot_be_written(served: Served) -> None:
    arguments = ["skill", "1", "0", "--for", "0.5", "--address", served.address]
    with open("/dev/full", "w") as full:
        assert run("control", *arguments, stdout=full.fileno()) == (0, None, "")


def test_a_command_ends_in_time_though_its_output_is_not_read(served: Served) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    arguments = ["skill", "1", "0", "--for", "0.5", "--address", served.address]
    try:
        assert run("control", *arguments, stdout=writer) == (0, None, "")
    finally:
        os.close(reader)
        os.close(writer)


# Serving though its output cannot be written ------------------------------------------------------


@contextmanager
def unwritable(kind: str) -> Iterator[tuple[int, str, Callable[[], None]]]:
    """Yields a descriptor for the output, the shell's redirection, and what closes the output."""
    ends = pty.openpty() if "terminal" in kind else os.pipe()
    open_ends = set(ends)

    def close() -> None:
        while open_ends:
            os.close(open_ends.pop())

    if kind == "pipe without space":
        os.set_blocking(ends[1], False)
        with suppress(BlockingIOError):
            while True:
                os.write(ends[1], b"x" * 4096)
        os.set_blocking(ends[1], True)
    redirect = {"full disk": "> /dev/full 2>&1", "closed descriptors": ">&- 2>&-"}.get(kind, "")
    yield ends[1], redirect, close if kind.startswith("closed") else lambda: None
    close()


@pytest.mark.parametrize(
    "kind",
    [
        "full disk",
        "closed descriptors",
        "closed pipe",
        "pipe without space",
        "closed terminal",
        "terminal that is not read",
    ],
)
def test_a_server_goes_on_though_its_output_cannot_be_written(policy_file: Path, kind: str) -> None:
    port = free_ports()
    shell = 'exec "$0" -c "$1" serve --model "$2" --port "$3" '
    with unwritable(kind) as (output, redirect, close):
        running = subprocess.Popen(
            [
                "/bin/bash",
                "-c",
                shell + redirect,
                sys.executable,
                RUNS,
                str(policy_file),
                str(port),
            ],
            stdout=output,
            stderr=output,
        )
        try:
            with SkillClient(f"tcp://127.0.0.1:{port}", timeout_s=DEADLINE_S) as client:
                state_when(client, lambda state: state.action is not None)
                close()
                for number in range(50):
                    client.stop(f"number {number}" + 100 * " x")
                client.clear()
                tick = client.state().tick
                state_when(client, lambda state: state.tick > tick + 1200)  # past a status line
            running.send_signal(signal.SIGTERM)
            assert running.wait(DEADLINE_S) == 0
        finally:
            running.kill()
            running.wait()


def test_further_signals_do_not_change_the_exit_code_after_the_end(policy_file: Path) -> None:
    arguments = ["serve", "--model", str(policy_file), "--port", str(free_ports())]
    with child_process(
        [sys.executable, "-c", RUNS, *arguments], stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        while not running.stdout.readline().startswith("try "):
            assert running.poll() is None
        running.send_signal(signal.SIGTERM)
        while "the arm is at rest" not in running.stdout.readline():
            assert running.poll() is None
        while running.poll() is None:
            running.send_signal(signal.SIGTERM)
    assert running.returncode == 0
