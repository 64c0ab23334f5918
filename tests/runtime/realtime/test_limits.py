"""Limits of a child: its memory, its signals, and its end with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

import psutil
import pytest
import zmq
from tests.support.served import DEADLINE_S, until

from skill_runtime.realtime.limits import process_state

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has these limits")


@contextmanager
def program(code: str, *arguments: str) -> Generator[subprocess.Popen[str]]:
    """Runs a program until the end of the block."""
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    """Returns the next line that the program prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


# Memory -------------------------------------------------------------------------------------------

ALLOCATE = """
import sys
from skill_runtime.realtime.limits import MIB, limit_memory
kept = bytearray(20 * MIB)
limit_memory(64)
more = bytearray(40 * MIB)
print("within", flush=True)
more = None
more = bytearray(int(sys.argv[1]) * MIB)
print("again", flush=True)
"""


@linux
def test_memory_beyond_the_allowance_is_refused() -> None:
    with program(ALLOCATE, "100") as process:
        _, error = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 1
        assert "MemoryError" in error


@linux
def test_memory_within_the_allowance_is_granted_again_and_again() -> None:
    with program(ALLOCATE, "50") as process:
        output, error = process.communicate(timeout=DEADLINE_S)
        assert (process.returncode, output) == (0, "within\nagain\n"), error


RECEIVE = """
import zmq
from skill_runtime.realtime.limits import limit_memory
context = zmq.Context()
socket = context.socket(zmq.ROUTER)
print(socket.bind_to_random_port("tcp://127.0.0.1"), flush=True)
limit_memory(32)
while True:
    socket.recv_multipart()
"""


@linux
def test_a_process_whose_messages_need_more_ends() -> None:
    """ZeroMQ keeps a message until it is complete, without a limit of its own."""
    with program(RECEIVE) as process, zmq.Context() as context:
        address = f"tcp://127.0.0.1:{said(process)}"
        with context.socket(zmq.DEALER) as client:
            client.linger = 0
            client.connect(address)
            part = bytes(1000)
            for _ in range(64_000):  # 64 MB, of which 32 MiB may be kept
                client.send(part, zmq.SNDMORE)
            client.send(part)
            assert process.wait(DEADLINE_S) == -signal.SIGABRT


@linux
def test_a_lower_limit_of_the_system_stays() -> None:
    code = """
import resource
from skill_runtime.realtime.limits import limit_memory
lowest = 2**30
resource.setrlimit(resource.RLIMIT_DATA, (lowest, lowest))
limit_memory(4096)
assert resource.getrlimit(resource.RLIMIT_DATA) == (lowest, lowest)
"""
    with program(code) as process:
        _, error = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0, error


# Signals and the end of the parent ----------------------------------------------------------------

CHILD = """
import signal, sys, time
from skill_runtime.realtime.limits import be_a_child
be_a_child(nice=3)
print("child", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_child_leaves_the_signals_of_the_terminal_to_its_parent(name: str) -> None:
    with program(CHILD) as process:
        assert said(process) == "child"
        process.send_signal(getattr(signal, name))
        until(lambda: process_state(process.pid) in ("S", ""))
        assert process.poll() is None


def test_a_child_lets_others_come_first() -> None:
    with program(CHILD) as process:
        assert said(process) == "child"
        assert psutil.Process(process.pid).nice() == os.nice(0) + 3


PARENT = """
import os, subprocess, sys, time
from skill_runtime.realtime import limits
command = [sys.executable, "-c", sys.argv[1]]
environment = {**os.environ, limits.PARENT: str(os.getpid())}
child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(600)
"""

GRACEFUL = """
import os, time
from skill_runtime.realtime.limits import be_a_child
parent = os.getppid()
be_a_child(ends_at_once=False)
print("child", flush=True)
while os.getppid() == parent:
    time.sleep(0.01)
"""


def ended(pid: int) -> Callable[[], bool]:
    return lambda: process_state(pid) in ("", "Z")


@linux
@pytest.mark.parametrize("child", [CHILD, GRACEFUL])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_ends_with_its_parent(child: str, number: signal.Signals) -> None:
    with program(PARENT, child) as parent:
        pid = int(said(parent))
        assert process_state(pid) != ""
        parent.send_signal(number)
        parent.wait(DEADLINE_S)
        until(ended(pid))


LATE = """
import os, time
from skill_runtime.realtime.limits import be_a_child
parent = os.getppid()
print("child", flush=True)
while os.getppid() == parent:
    time.sleep(0.01)
be_a_child()
time.sleep(600)
"""


@linux
def test_a_child_whose_parent_has_died_before_it_asks_ends() -> None:
    """As long as it lived, it would keep the addresses of its server."""
    with program(PARENT, LATE) as parent:
        pid = int(said(parent))
        assert not ended(pid)()
        parent.kill()
        parent.wait(DEADLINE_S)
        until(ended(pid))


@linux
def test_the_state_of_a_process_with_a_strange_name() -> None:
    """The name is in parentheses, and may have parentheses itself."""
    code = """
import ctypes, time
ctypes.CDLL(None).prctl(15, b") R (x", 0, 0, 0)
print("named", flush=True)
time.sleep(600)
"""
    with program(code) as process:
        assert said(process) == "named"
        until(lambda: process_state(process.pid) == "S")
    assert process_state(process.pid) == ""
    assert process_state(0) == ""
