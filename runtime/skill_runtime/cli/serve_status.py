"""What skill-serve says of itself: a banner, a status line, and the log above it.

Runs in the main thread and reads what the loop has published last, so that a terminal that does
not take output (a paused one, say) never holds the loop up.
"""

from __future__ import annotations

import logging
import logging.handlers
import queue
from collections.abc import Sequence
from contextlib import suppress

from skill_proto.manifest import PolicyManifest
from skill_proto.messages import Telemetry, Welcome
from skill_proto.ports import DEFAULT_ADDRESS
from skill_runtime.console.status_line import LiveLine
from skill_runtime.console.text import example_goal, state_line, welcome_text

LOG_QUEUE = 1000
"""Log records that may wait for the terminal; more are dropped."""


def banner(welcome: Welcome, commands_address: str, remarks: Sequence[str]) -> str:
    """What is served and where, and how to steer it."""
    address = ""
    if commands_address != DEFAULT_ADDRESS:
        address = f" --address {commands_address}"
    ways = ["skill-control hello", "skill-control watch"]
    manifest = welcome.manifest
    if manifest.skill.kind != "none":
        ways.insert(0, f"skill-control skill {' '.join(['1', *['0'] * (manifest.skill.size - 1)])}")
    elif manifest.goal is not None:
        ways.insert(0, f"skill-control goal {example_goal(manifest.goal)}")
    lines = [welcome_text(welcome), f"{'commands':<11}{commands_address}"]
    lines += [f"{'note':<11}{remark}" for remark in remarks]
    lines.append(f"{'steer it':<11}" + ", ".join(f"{way}{address}" for way in ways))
    return "\n".join(lines)


def status_line(state: Telemetry, manifest: PolicyManifest | None = None) -> str:
    """Mode, controller, command, positions, context, then how the loop keeps time."""
    timing = state.timing
    refused = sum(count for name, count in state.counters.items() if name.startswith("rejected."))
    tail = f"  refused {refused}" if refused else ""
    if state.mode in ("stopped", "fault"):
        tail += f"  {state.last_event}"
    return (
        f"{state_line(state, manifest)}"
        f"  tick {timing.execution_time_p50_us / 1e3:.2f}/{timing.execution_time_p99_us / 1e3:.2f} ms"
        f"  late {timing.wakeup_latency_p50_us / 1e3:.2f}/{timing.wakeup_latency_p99_us / 1e3:.2f} ms"
        f"  missed {timing.overruns}{tail}"
    )


class LogAbove(logging.Handler):
    """Writes log records above the live line, from a thread of its own.

    Used as a context manager; on entry it becomes the root logger's only handler.
    """

    def __init__(self, line: LiveLine) -> None:
        super().__init__()
        self._line = line
        self._records: queue.Queue[logging.LogRecord] = queue.Queue(LOG_QUEUE)
        self._listener = logging.handlers.QueueListener(self._records, self)

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one record."""
        with suppress(BrokenPipeError):  # nobody reads standard error; the listener must live on
            self._line.above(f"skill-serve: {self.format(record)}")

    def __enter__(self) -> LogAbove:
        logging.raiseExceptions = False  # a full queue drops records; saying so would block too
        root = logging.getLogger()
        root.handlers[:] = [logging.handlers.QueueHandler(self._records)]
        root.setLevel(logging.INFO)
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.stop()
