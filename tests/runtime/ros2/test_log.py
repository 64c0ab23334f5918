"""The log of the node, whose threads all write to it; without ROS."""

from __future__ import annotations

import threading
import time

from skill_runtime.console.repeats import PERIOD_S
from skill_runtime.ros2.log import Log


class Lines:
    """A logger that keeps the lines."""

    def __init__(self) -> None:
        self.news: list[str] = []
        self.warnings: list[str] = []

    def info(self, message: str) -> bool:
        """Keeps a message."""
        self.news.append(message)
        return True

    def warning(self, message: str) -> bool:
        """Keeps a warning."""
        self.warnings.append(message)
        return True


class Slow(str):
    """A kind at which threads take turns, wherever a table is looked up."""

    __slots__ = ()

    def __hash__(self) -> int:
        time.sleep(0.002)
        return super().__hash__()


def test_news_are_no_warnings_and_repetitions_are_counted() -> None:
    lines, now = Lines(), [0.0]
    log = Log(lines, lambda: now[0])
    log.say("connected", "here")
    for _ in range(3):
        log.say("lost", "gone")
    now[0] = PERIOD_S
    log.count()
    assert lines.news == ["here"]
    assert lines.warnings == ["gone", "gone (repeated 2 times)"]


def test_threads_write_at_the_same_time() -> None:
    lines, now, failures = Lines(), [0.0], list[BaseException]()
    log = Log(lines, lambda: now[0])

    def count() -> None:
        try:
            log.count()
        except KeyError as error:
            failures.append(error)

    for _ in range(5):
        log.say(Slow("lost"), "gone")
        now[0] += PERIOD_S
        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
    assert lines.warnings == ["gone"] * 5
