"""Watch: the last minute, and a server that is started again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.served import serving, until

from skill_proto.messages import Telemetry
from skill_runtime.client import SkillClient
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.subscribers.web.watch import HISTORY_S, Sample, Watch, remember


@pytest.fixture
def state(telemetry_of: Callable[..., Telemetry], controller: ArmController) -> Telemetry:
    return telemetry_of(controller)


@pytest.mark.parametrize(("period_s", "kept"), [(0.05, 241), (2.0, 31)])
def test_the_history_is_a_minute_at_any_rate(state: Telemetry, period_s: float, kept: int) -> None:
    history: deque[Sample] = deque()
    for number in range(round(150.0 / period_s)):
        remember(history, state.model_copy(update={"time": number * period_s}))
    times = [one.time for one in history]
    assert times[-1] - times[0] == pytest.approx(HISTORY_S, abs=0.3)
    assert len(times) == pytest.approx(kept, abs=1)


def test_a_server_that_is_started_again_is_watched_on(policy_file: Path) -> None:
    with serving(policy_file) as first:
        addresses = first.server.addresses
        client = SkillClient(first.address, timeout_s=1.0)
        watch = Watch(client)
        until(lambda: watch.read(0.1))
    with serving(policy_file, addresses=addresses) as second, client:
        until(lambda: watch.read(0.1) and watch.welcome.instance == second.server.instance)
        assert watch.other_policy == ""
        assert "the server was started again" in [text for _, text in watch.events]
        watch.close()


def test_another_policy_is_noticed(
    policy_file: Path, make_policy_file: Callable[..., Path], tmp_path: Path
) -> None:
    other = make_policy_file(tmp_path, name="another")
    with serving(policy_file) as first:
        addresses = first.server.addresses
        client = SkillClient(first.address, timeout_s=1.0)
        watch = Watch(client)
        until(lambda: watch.read(0.1))
    with serving(other, addresses=addresses), client:
        until(lambda: not watch.read(0.1) and watch.other_policy == "another")
        assert watch.welcome.manifest.name != "another"
        watch.close()
