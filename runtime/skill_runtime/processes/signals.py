"""How the control loop waits for other processes, and wakes them, by their wakeups."""

from __future__ import annotations

import select
from dataclasses import dataclass

from skill_runtime.channel.wakeup import Wakeup
from skill_runtime.server.control_loop import Signals


@dataclass(frozen=True)
class ProcessSignals:
    """The wakeups of controller, gateway and stop listener."""

    own: Wakeup
    gateway: Wakeup
    listener: Wakeup

    def for_loop(self) -> Signals:
        """Returns the functions that the control loop calls."""
        reader = (self.own.reader,)

        def wait(seconds: float) -> bool:
            # Unlike poll(), it waits for less than a millisecond.
            if not select.select(reader, (), (), seconds)[0]:
                return False
            self.own.clear()
            return True

        return Signals(wait=wait, wake_gateway=self.gateway.wake, wake_listener=self.listener.wake)
