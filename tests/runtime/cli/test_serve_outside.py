"""``skill-serve --outside`` as a user starts it: real processes."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from tests.support.far_policy import write_far_policy
from tests.support.served import DEADLINE_S, state_when
from tests.support.served_process import COMMAND, process

from skill_runtime.client import ClientError, CommandRefusedError, SkillClient
from skill_runtime.control.state_monitor import is_at_rest


@pytest.fixture
def far_file(tmp_path: Path) -> Path:
    return write_far_policy(tmp_path)


def steer_for_ever(client: SkillClient) -> None:
    """Sends one skill after the other, as a client that knows no faults."""
    while True:
        client.skill([1.0, 0.0], valid_for_s=1.0)
        time.sleep(0.05)


def test_hold_holds_with_a_reason_until_clear(far_file: Path) -> None:
    with process("--model", str(far_file), "--outside", "hold", "--no-demo") as running:
        with running.client() as client:
            with client.acquire("test", ttl_s=10.0), pytest.raises(ClientError):
                steer_for_ever(client)
            state = state_when(client, lambda state: state.mode == "fault")
            assert (state.fault, state.lease_holder) == ("outside", None)
            assert "fault: the policy is outside of its training" in state.last_event
            state_when(client, lambda state: is_at_rest(np.array(state.joint_velocity)))
            with pytest.raises(CommandRefusedError, match=r"outside of its training.*call clear"):
                client.acquire("again")
            client.clear()
            with client.acquire("again"):
                client.skill([1.0, 0.0], valid_for_s=1.0)
                assert client.state().mode == "skill"
        code, output = running.end()
    assert code == 0, output
    assert "note       the arm holds if the policy leaves its training; 'clear' lets it" in output
    assert "fault: the policy is outside of its training: mean context distance 5" in output


def test_without_the_flag_the_user_is_warned_once_and_the_arm_goes_on(far_file: Path) -> None:
    with process("--model", str(far_file)) as running, running.client() as client:
        state = state_when(client, lambda state: state.outside is True)
        assert (state.mode, state.counters["excursions"]) == ("skill", 1)
        code, output = running.end()
    assert code == 0, output
    assert "a policy outside of its training is reported (--outside warn)" in output
    assert output.count("mean context distance 5") == 1


def test_hold_is_refused_for_a_policy_without_an_encoder(policy_file: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--model", str(policy_file), "--outside", "hold"],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 2
    assert "--outside hold: push_by_hand has no encoder" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3
