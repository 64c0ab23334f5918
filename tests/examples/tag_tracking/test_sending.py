"""Poses arrive at a real server with the time of their exposure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from examples.tag_tracking.estimator import Estimate
from examples.tag_tracking.sending import PoseSender, ServerClock
from tests.support.served import Served, state_when
from tests.support.server_fixtures import client as client
from tests.support.server_fixtures import serve as serve
from tests.support.server_fixtures import served as served

from skill_runtime.client import ServerUnreachableError, SkillClient
from skill_runtime.control.object_tracker import TrackConfig


def pose(exposed_s: float) -> Estimate:
    """Returns a pose on the table."""
    return Estimate(
        exposed_s=exposed_s,
        position=np.array([0.1, -0.05, 0.02]),
        rotation=np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
        spin=np.array([0.0, 0.0, 1.5]),
        on_table=True,
        residual_px=0.2,
        tags=4,
        cameras=("left",),
    )


def test_the_shortest_round_trip_sets_the_clock() -> None:
    clock = ServerClock()
    clock.note(10.0, 10.2, 110.0)  # the middle is 10.1: offset 99.9
    clock.note(11.0, 11.002, 111.0)  # offset 99.999
    clock.note(12.0, 12.1, 112.0)
    assert clock.at(20.0) == pytest.approx(119.999)
    clock.note(25.0, 25.1, 130.0)  # the others are older than 10 s
    assert clock.at(0.0) == pytest.approx(104.95)


@pytest.fixture
def tracked(serve: Callable[..., Served], policy_file: Path) -> Served:
    """A server that expects poses of the cube."""
    return serve(policy_file, track=TrackConfig(objects=("cube",), timeout_s=5.0))


@pytest.fixture
def sender(tracked: Served) -> Iterator[PoseSender]:
    """A sender that has said hello to it."""
    sender = PoseSender(tracked.address, timeout_s=10.0)
    sender.hello()
    yield sender
    sender.close()


def test_the_server_reports_pose_and_age(tracked: Served, sender: PoseSender) -> None:
    exposed = time.monotonic() - 0.05
    sender.send(pose(exposed))
    assert (sender.sent, sender.newest_refusal) == (1, None)
    with SkillClient(tracked.address, timeout_s=10.0) as client:
        state = state_when(client, lambda state: "cube" in state.objects)
        cube = state.objects["cube"]
        assert cube.position == pytest.approx((0.1, -0.05, 0.02))
        assert cube.quaternion == pytest.approx((np.sqrt(0.5), 0, 0, np.sqrt(0.5)))
        assert cube.age_s is not None
        # Server and test share one clock, so the age is that of the exposure.
        captured = state.time - cube.age_s
        assert captured == pytest.approx(exposed, abs=0.02)


def test_an_older_pose_is_counted_as_out_of_order(sender: PoseSender) -> None:
    now = time.monotonic()
    sender.send(pose(now))
    sender.send(pose(now - 0.01))
    assert sender.sent == 1
    assert sender.refused == {"out_of_order": 1}
    assert "is already stored" in str(sender.newest_refusal)


def test_an_old_pose_is_stale(sender: PoseSender) -> None:
    sender.send(pose(time.monotonic() - 60.0))
    assert sender.refused == {"stale": 1}


def test_a_server_that_tracks_no_object_names_its_flag(served: Served) -> None:
    sender = PoseSender(served.address, timeout_s=10.0)
    sender.hello()
    sender.send(pose(time.monotonic()))
    assert sender.refused == {"not_supported": 1}
    assert "--track cube" in str(sender.newest_refusal)
    sender.close()


def test_without_a_server_the_sender_raises() -> None:
    sender = PoseSender("tcp://127.0.0.1:1", timeout_s=0.2)
    with pytest.raises(ServerUnreachableError, match=r"no answer from tcp://127.0.0.1:1"):
        sender.hello()
    sender.close()
