"""Watching a real server, and the stop that goes with it; without ROS."""

from __future__ import annotations

import threading

from tests.support.served import Served, until

from skill_proto.messages import Telemetry, Welcome
from skill_runtime.client import ServerUnreachableError, SkillClient
from skill_runtime.ros2.status import Status
from skill_runtime.ros2.watching import Watching


class States:
    """In place of the publishers: the newest state."""

    def __init__(self) -> None:
        self.mode = ""

    def describe(self, welcome: Welcome) -> None:
        """Does nothing."""

    def publish(self, state: Telemetry) -> None:
        """Notes the mode."""
        self.mode = state.mode


class Unconfirmed(SkillClient):
    """Its stops are not confirmed, as on a line that loses a reply."""

    def stop(self, reason: object = "") -> None:
        """Raises an error."""
        del reason
        raise ServerUnreachableError(self.address, 0.1)


def test_a_stop_that_one_client_cannot_confirm_is_asked_anew(served: Served) -> None:
    kinds = [SkillClient, Unconfirmed]  # the last one watches
    said: list[str] = []
    status, states = Status(lambda kind, _: said.append(kind)), States()
    watching = Watching(lambda: kinds.pop()(served.address), states, status)
    thread = threading.Thread(target=watching.run)
    thread.start()
    try:
        until(lambda: states.mode == "hold")
        watching.stop("test")
        until(lambda: states.mode == "stopped")
        # The telemetry went on, so the node still hears targets and shows the arm.
        assert status.known.welcome is not None
        assert not status.known.unreachable
        assert said == ["connected", "stop"]
    finally:
        watching.end()
        thread.join()
