"""The handler of SIGINT while a program starts; test_entry.py has whole programs."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from skill_runtime.console import interrupts


@pytest.fixture
def restored() -> Iterator[None]:
    """Restores the handler of SIGINT."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("restored")
def test_an_ignored_interrupt_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupts.end_at_interrupt()
    interrupts.raise_at_interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.usefixtures("restored")
def test_an_interrupt_raises_again_after_the_start() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupts.end_at_interrupt()
    assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    interrupts.raise_at_interrupt()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


BACKGROUND = """
import sys
from skill_runtime.console.interrupts import ignore_terminal_stop
ignore_terminal_stop()
print("printed in the background", flush=True)
"""

TERMINAL = """
import os, subprocess, sys, termios
settings = termios.tcgetattr(1)
settings[3] |= termios.TOSTOP
termios.tcsetattr(1, termios.TCSANOW, settings)
background = subprocess.Popen([sys.executable, "-c", sys.argv[1]], process_group=0)
_, status = os.waitpid(background.pid, os.WUNTRACED)
os._exit(0 if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0 else 1)
"""


def test_a_program_in_the_background_of_a_terminal_is_not_suspended() -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", TERMINAL, BACKGROUND])
    output = b""
    with suppress(OSError):  # the terminal is closed
        while data := os.read(terminal, 4096):
            output += data
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert (os.waitstatus_to_exitcode(status), output) == (0, b"printed in the background\r\n")


PARENT = """
import signal, subprocess, sys
from skill_runtime.console import interrupts
interrupts.end_at_interrupt()
child = "import time; time.sleep(0.4); print('the child has ended', flush=True)"
subprocess.Popen([sys.executable, "-c", child])
signal.raise_signal(signal.SIGINT)
"""


def test_an_interrupted_program_waits_for_the_processes_that_it_started() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PARENT], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (130, "the child has ended\n")
