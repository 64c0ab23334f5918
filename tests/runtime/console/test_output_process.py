"""Output by a process of its own: complete, and never in the way of the program."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

PROGRAM = """
import logging, os, signal, time
from skill_runtime.console.output_process import OutputProcess

output = OutputProcess("box", "info")
logging.getLogger().addHandler(output)
logging.getLogger("skill_robots").setLevel("INFO")
log = logging.getLogger("skill_robots.test")
{body}
output.end()
"""


def run(body: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=body)],
        capture_output=True,
        text=True,
        timeout=30.0,
        check=False,
    )


def test_lines_go_to_standard_output_and_log_records_to_standard_error() -> None:
    done = run(
        "output.say('first\\nsecond')\n"
        "log.debug('hidden')\nlog.info('seen %d', 7)\nlog.error('bad')\n"
        "output.show('status')"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["first", "second", "status"]
    assert done.stderr.splitlines() == ["box: seen 7", "box: bad"]


def test_text_is_printable_and_cut() -> None:
    done = run(
        "output.say('\\x1b[2J' + '\\u00e9' * 3)\noutput.say('\\u1f600' * 5000)\noutput.say('end')"
    )
    lines = done.stdout.splitlines()
    assert lines[0].startswith("\\x1b[2J")
    assert 100 < len(lines[1]) <= 1000
    assert lines[2] == "end"


@pytest.mark.parametrize("count", [3, 20_000])
def test_a_writer_that_stands_still_delays_no_call(count: int) -> None:
    """The texts that do not fit into the pipe are counted."""
    done = run(
        "output.say('start')\ntime.sleep(0.3)\n"
        "os.kill(output._process.pid, signal.SIGSTOP)\n"
        "start = time.perf_counter()\n"
        f"for i in range({count}): output.say('x' * 50)\n"
        "took = time.perf_counter() - start\n"
        "os.kill(output._process.pid, signal.SIGCONT)\n"
        "time.sleep(0.3)\n"
        "output.say(f'took {took:.3f}')"
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    written = lines.count("x" * 50)
    assert float(lines[-1].removeprefix("took ")) < 5.0
    if count == 3:
        assert written == 3
        assert done.stderr == ""
    else:
        assert 0 < written < count
        assert f"{count - written:,} lines of output were lost" in done.stderr


def test_a_second_end_has_no_effect() -> None:
    """The pipe is closed then, also after a loss."""
    done = run(
        "os.kill(output._process.pid, signal.SIGSTOP)\n"
        "for i in range(20_000): output.say('x' * 50)\n"
        "os.kill(output._process.pid, signal.SIGCONT)\n"
        "output.end()"
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("lines of output were lost") == 1


def test_the_end_waits_at_most_three_seconds() -> None:
    start = time.monotonic()
    done = run("output.say('start')\nos.kill(output._process.pid, signal.SIGSTOP)")
    assert done.returncode == 0
    assert time.monotonic() - start < 8.0


def test_a_writer_that_is_gone_does_not_end_the_program() -> None:
    done = run(
        "os.kill(output._process.pid, signal.SIGKILL)\ntime.sleep(0.2)\n"
        "output.say('lost')\nlog.info('lost')\nprint('alive')"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "alive\n"


def test_ctrl_c_of_a_terminal_ends_the_output_after_the_program() -> None:
    """A terminal sends the signal to the group of the program."""
    done = run(
        "signal.signal(signal.SIGINT, lambda *_: None)\n"
        "os.setpgid(0, 0)\nos.killpg(0, signal.SIGINT)\n"
        "time.sleep(0.3)\noutput.say('last')"
    )
    assert done.stdout == "last\n"
