"""A control box with a client of plain sockets, one cycle at a time and without a clock."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.fci_client import FciClient

from skill_robots.control_box.box import ControlBox


class BoxBench:
    """A control box and its client; a test sets both attributes."""

    box: ControlBox
    client: FciClient

    def cycle(self, count: int = 1) -> None:
        """Runs cycles of the box."""
        for _ in range(count):
            self.box.advance()
            self.box.send()

    def until(self, done: Callable[[], bool], cycles: int = 3000) -> None:
        """Runs cycles until ``done`` returns True."""
        for _ in range(cycles):
            if done():
                return
            self.cycle()
        raise AssertionError(f"not within {cycles} cycles")

    def close(self) -> None:
        """Closes the client and the box."""
        self.client.close()
        self.box.close()
