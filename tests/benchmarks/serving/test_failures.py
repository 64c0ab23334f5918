"""The bounds of docs/safety.md, with real processes.

The scenarios are those of ``python -m benchmarks.serving.failures``. All times are on the server's
clock. Each bound has an allowance of one second for a busy machine.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from benchmarks.serving.failures.__main__ import FAILURES, Config, main
from benchmarks.serving.failures.network import Cable, NoNamespacesError
from benchmarks.serving.failures.outcome import (
    OUTLASTING,
    OUTLASTING_S,
    POLICY_PERIOD_S,
    TRACKER_TIMEOUT_S,
    TTL_S,
    VALID_FOR_S,
    Outcome,
    added,
)
from benchmarks.serving.failures.rig import Rig
from benchmarks.serving.failures.server_failures import LISTENER_SILENCE_S, SERVED_AGAIN_S

from skill_runtime.console.flags import UsageError
from skill_runtime.server.stop_reader import ANSWERS_NOT, STARTED_AGAIN

ALLOWANCE_S = 1.0
STOPPING_S = 0.5
"""Longest braking time of the set-point, from the speeds of the policies."""


def check(outcome: Outcome, state: str, *, settles: bool = True) -> None:
    """Checks the state, and the times to it and to rest.

    Args:
        outcome: Outcome of the failure.
        state: Expected state.
        settles: Whether the observation was long enough for the joints to settle.
    """
    assert outcome.state == state
    assert outcome.state_s is not None
    assert outcome.bound_s is not None
    assert outcome.rest is not None
    assert 0.0 <= outcome.state_s <= outcome.bound_s + ALLOWANCE_S
    assert outcome.rest.setpoint_s <= outcome.bound_s + STOPPING_S + ALLOWANCE_S
    if settles:
        assert outcome.rest.joints_s <= outcome.bound_s + STOPPING_S + 2 * ALLOWANCE_S


def check_the_command_ended_it(outcome: Outcome) -> None:
    """Checks that the command expired, and that no lease did: their leases are much longer."""
    assert outcome.bound_s == VALID_FOR_S < OUTLASTING_S - 3 * ALLOWANCE_S
    assert outcome.facts["commands expired by then"] == 1
    assert outcome.facts["leases lost by then"] == 0


def check_the_lease_ended_later(outcome: Outcome) -> None:
    """Checks the end of the lease; its last renewal is at most a quarter of its time old."""
    free_s = outcome.facts["lease free [s]"]
    assert isinstance(free_s, float)
    assert 0.75 * OUTLASTING_S - ALLOWANCE_S <= free_s <= OUTLASTING_S + ALLOWANCE_S


@pytest.fixture
def namespaces() -> None:
    """Skips the test if network namespaces are not available."""
    try:
        with Cable():
            pass
    except NoNamespacesError as error:
        pytest.skip(str(error))


def test_a_killed_client_leaves_the_arm_at_rest(policy_file: Path) -> None:
    outcome = FAILURES["client-killed"](policy_file)
    check_the_command_ended_it(outcome)
    check(outcome, "hold")
    check_the_lease_ended_later(outcome)


@pytest.mark.slow
def test_a_client_that_continues_after_a_stop_has_lost_its_lease(policy_file: Path) -> None:
    outcome = FAILURES["client-stopped"](policy_file)
    check_the_command_ended_it(outcome)
    check(outcome, "hold")
    assert outcome.facts["lease lost"] == 1


@pytest.mark.slow
def test_an_expired_lease_ends_a_long_command_and_then_stops_the_arm(policy_file: Path) -> None:
    outcome = FAILURES["lease-unrenewed"](policy_file)
    assert outcome.bound_s == TTL_S
    check(outcome, "hold")
    assert outcome.facts["commands expired by then"] == 0
    assert outcome.facts["leases lost by then"] == 1
    assert outcome.state_s is not None
    stopped_s = outcome.facts["stopped [s]"]
    assert isinstance(stopped_s, float)
    assert stopped_s > outcome.state_s


@pytest.mark.slow
def test_a_restarted_server_accepts_no_old_lease(policy_file: Path) -> None:
    outcome = FAILURES["server-killed"](policy_file)
    assert outcome.state_s is not None
    assert outcome.bound_s is not None
    assert outcome.state_s <= outcome.bound_s + ALLOWANCE_S
    assert outcome.facts["modes of the next server"] == "hold"
    assert outcome.facts["commands of the next server"] == 0
    assert outcome.facts["client at the next server"] == "ServerReplacedError"


@pytest.mark.parametrize("name", ["server-suspended", "controller-stopped"])
def test_a_server_that_continues_after_a_long_stop_holds(policy_file: Path, name: str) -> None:
    outcome = FAILURES[name](policy_file)
    check(outcome, "hold")
    assert outcome.facts["first mode"] == "hold"
    assert outcome.facts["states of the interrupted tick"] in (0, 1)
    assert outcome.facts["commands accepted after SIGCONT"] == 0


@pytest.mark.slow
def test_the_death_of_the_controller_ends_the_server(policy_file: Path) -> None:
    outcome = FAILURES["controller-killed"](policy_file)
    assert outcome.state == "skill-serve ends with exit code 1"
    assert outcome.state_s is not None
    assert outcome.state_s <= SERVED_AGAIN_S + ALLOWANCE_S
    assert outcome.facts["modes of the next server"] == "hold"
    assert outcome.facts["client at the next server"] == "ServerReplacedError"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gateway-killed", "gateway-stopped"])
def test_without_a_gateway_the_arm_holds_and_the_lease_lasts(policy_file: Path, name: str) -> None:
    outcome = FAILURES[name](policy_file)
    assert outcome.state_s is not None
    assert outcome.facts["gateways restarted"] == 1
    assert outcome.facts["leases"] == 1  # the client still has its first lease
    assert outcome.facts["leases lost by then"] == 0
    if outcome.facts["mode then"] == "hold":  # else a gateway was there before telemetry was read
        assert outcome.facts["commands expired by then"] == 1


def test_without_a_gateway_the_command_expires(policy_file: Path) -> None:
    with Rig(policy_file) as rig:
        rig.client(*OUTLASTING)
        rig.signal_server(signal.SIGSTOP)  # the supervisor, so that no gateway follows
        lost = rig.signal_server(signal.SIGKILL, "gateway")
        time.sleep(VALID_FOR_S + ALLOWANCE_S)
        rig.signal_server(signal.SIGCONT)
        again = rig.recording.wait_for(lambda state: "restarts.gateway" in state.counters, lost)
        before = rig.recording.last_before(again.time - 1e-6)
        assert added((before, again), "expired") == 1
        assert added((before, again), "lease_lost") == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stop-listener-killed", "stop-listener-stopped"])
def test_without_a_stop_listener_the_arm_is_stopped(policy_file: Path, name: str) -> None:
    outcome = FAILURES[name](policy_file)
    assert outcome.bound_s == LISTENER_SILENCE_S
    check(outcome, "stopped")
    # A listener that is started again at once is not silent; it may be asked for a stop first.
    reasons = (ANSWERS_NOT, *((STARTED_AGAIN, "probe") if "killed" in name else ()))
    # A command that the same tick refuses is its last event, and quotes the end of the lease.
    event = str(outcome.facts["event"]).removeprefix("refused: the lease has ended: ")
    assert event in [f"stop: {reason}" for reason in reasons]
    assert outcome.facts["mode at the end"] == "stopped"
    assert outcome.facts["lease"] == "revoked"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["subscribers-killed", "subscribers-stopped"])
def test_failures_of_subscribers_have_no_effect(policy_file: Path, name: str) -> None:
    outcome = FAILURES[name](policy_file)
    assert outcome.facts["modes"] == "skill"
    assert outcome.facts["rejected"] == 0
    assert outcome.facts["expired"] == 0
    commands = outcome.facts["commands after"]
    assert isinstance(commands, int)
    assert commands > 0


def test_an_action_of_nan_is_a_fault(policy_file: Path) -> None:
    outcome = FAILURES["policy-nan"](policy_file)
    assert outcome.bound_s == POLICY_PERIOD_S
    check(outcome, "fault policy")
    assert outcome.facts["mode at the end"] == "fault"
    assert outcome.facts["lease"] == "revoked"


def test_a_silent_tracker_is_a_fault_until_it_sends_again(policy_file: Path) -> None:
    outcome = FAILURES["tracker-silent"](policy_file)
    assert outcome.bound_s == TRACKER_TIMEOUT_S + POLICY_PERIOD_S
    check(outcome, "fault tracker")
    assert outcome.facts["leases"] == 1  # the client still has its first lease
    assert outcome.facts["lease"] == "client"


@pytest.mark.slow
@pytest.mark.usefixtures("namespaces")
def test_the_arm_holds_during_a_short_network_cut_and_continues(policy_file: Path) -> None:
    outcome = FAILURES["network-cut-1s"](policy_file)
    check_the_command_ended_it(outcome)
    check(outcome, "hold", settles=False)  # one second may be too short
    assert outcome.facts["leases"] == 1


@pytest.mark.slow
@pytest.mark.usefixtures("namespaces")
def test_the_arm_holds_after_a_permanent_network_cut(policy_file: Path) -> None:
    outcome = FAILURES["network-cut"](policy_file)
    check_the_command_ended_it(outcome)
    check(outcome, "hold")
    check_the_lease_ended_later(outcome)


@pytest.mark.slow
def test_a_stop_after_a_flood_stops_the_arm(policy_file: Path) -> None:
    outcome = FAILURES["flood"](policy_file)
    check(outcome, "stopped")
    assert outcome.facts["mode at the end"] == "stopped"
    assert outcome.facts["client"] == "LeaseLostError"
    sent = outcome.facts["sent per second"]
    assert isinstance(sent, int)
    assert sent > 1000


def test_the_benchmark_names_a_missing_privilege(
    policy_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    result = tmp_path / "result.json"
    main(Config(model=policy_file, only=("network-cut",), json=result))
    out = capsys.readouterr().out
    assert "network-cut is skipped: " in out
    assert "root" in out or "iproute2" in out
    assert '"failures": []' in result.read_text()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (Config(only=("earthquake",)), "client-killed.*got earthquake"),
        (Config(model=Path("missing.onnx")), "missing.onnx is no file; .*--model"),
    ],
)
def test_invalid_options_are_explained(config: Config, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        main(config)


def test_a_suspended_server_survives_the_death_of_a_client(policy_file: Path) -> None:
    # The unread messages of the client exceed the queue of the gateway. libzmq aborted the process
    # if one of its own heartbeats was among them (see skill_runtime.client.connection).
    with Rig(policy_file) as rig:
        client = rig.peer("flood", rig.address, "--rate", "1000")
        rig.observe(1.0)
        gateway = rig.find_processes()["gateway"]
        rig.suspend_server()
        time.sleep(2.0)  # two heartbeats
        client.end()
        resumed = rig.resume_server()
        rig.recording.wait_for(lambda state: True, resumed + 1.0)
        assert rig.find_processes()["gateway"].pid == gateway.pid
