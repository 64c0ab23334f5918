"""skill-control as a user runs it: effects, output and exit codes."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import onnx
import onnx.parser
import pytest
from tests.support.served import DEADLINE_S, Served, state_when, tracking
from tests.support.stand_in import StandIn

from skill_proto.manifest import PolicyManifest
from skill_proto.messages import ANY_MESSAGE, Telemetry
from skill_proto.ports import DEFAULT_ADDRESS
from skill_runtime.cli import control
from skill_runtime.cli.subcommands import StopSubcommand
from skill_runtime.client import LeaseLostError, SkillClient
from skill_runtime.console.text import state_line, welcome_text
from skill_runtime.control.object_tracker import TrackConfig


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Control = Callable[..., Outcome]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Control]:
    """A function ``run(*words)`` that runs skill-control in this process."""

    def run(*words: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["skill-control", *words])
        with pytest.raises(SystemExit) as ended:
            control.main()
        assert isinstance(ended.value.code, int)
        return Outcome(ended.value.code, *capsys.readouterr())

    before = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def at(run: Control, served: Served) -> Control:
    """A function ``at(*words)`` that runs skill-control against the server."""
    return lambda *words: run("--address", served.address, *words)


# Subcommands --------------------------------------------------------------------------------------


def test_hello_describes_the_server_and_its_commands(at: Control, served: Served) -> None:
    code, out, err = at("hello")
    assert (code, err) == (0, "")
    example = f"skill-control skill 1 0 --address {served.address}\n"
    for text in ("push_by_hand", "panda (mujoco, simulated)", example, "free"):
        assert text in out
    assert ANY_MESSAGE.validate_json(at("hello", "--json").out).type == "welcome"


def test_watch_prints_a_line_per_state(at: Control) -> None:
    code, out, _ = at("watch", "--count", "3")
    assert code == 0
    assert [line.split()[1] for line in out.splitlines()] == ["hold"] * 3
    assert "cube [" in out


def test_watch_prints_whole_messages_for_programs(at: Control) -> None:
    states = [json.loads(line) for line in at("watch", "--count", "3", "--json").out.splitlines()]
    assert len({state["seq"] for state in states}) == 3
    Telemetry.model_validate(states[0])


def test_watch_prints_events(at: Control, client: SkillClient) -> None:
    process = start("--address", client.address, "watch")
    assert process.stdout is not None
    process.stdout.readline()
    at("reset", "--seed", "1")
    ends = time.monotonic() + DEADLINE_S
    while "* " not in (line := process.stdout.readline()):
        assert time.monotonic() < ends
    process.send_signal(signal.SIGINT)
    assert finish(process).code == 0
    assert "lease" in line or "reset" in line


@pytest.mark.parametrize(
    ("words", "mode"),
    [
        (("skill", "-1", "0.5"), "skill"),
        (("skill", "-1e-3", "-.5"), "skill"),
        (("goal", "-0.1", "0.05"), "goal"),
        (("pose", "-0.05", "0.1", "0.2", "--gripper-width", "0.04"), "servo"),
        (("joints", "0", "0.9", "0", "-1.5", "0", "2.4", "0.78"), "servo"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_a_motion_runs_for_its_duration_and_then_the_arm_holds(
    at: Control, client: SkillClient, words: tuple[str, ...], mode: str
) -> None:
    code, out, err = at(*words, "--for", "0.5")
    assert (code, err) == (0, "")
    first, *_, last = out.splitlines()
    assert first.split()[0] == mode
    assert "the arm holds" in last
    state = client.state()
    assert (state.mode, state.lease_holder) == ("hold", None)
    assert state.command_seq > 1


def test_scene_changes_the_object(at: Control, client: SkillClient) -> None:
    code, out, _ = at("scene", "--mass", "2", "--friction", "0.3")
    assert (code, out) == (0, "mass 2, friction 0.3\n")
    assert client.state().scene == {"mass": 2.0, "friction": 0.3}
    assert at("scene", "--mass", "1").out == "mass 1, friction 0.3\n"


def test_scene_interrupts_neither_demo_nor_lease(
    serve: Callable[..., Served], run: Control, policy_file: Path
) -> None:
    address = serve(policy_file, demo=True).address
    with SkillClient(address, timeout_s=10.0) as client:
        state_when(client, lambda state: state.command == "demo")
        assert run("--address", address, "scene", "--mass", "2").code == 0
        state = client.state()
        assert (state.command, state.counters.get("leases", 0)) == ("demo", 0)
        with client.acquire("another client"):
            assert run("--address", address, "scene", "--mass", "1").code == 0
            assert client.state().lease_holder == "another client"


def test_reset_and_hold_take_the_lease_for_a_moment(at: Control, client: SkillClient) -> None:
    assert at("reset", "--seed", "3").code == 0
    assert at("hold").code == 0
    state = client.state()
    assert (state.counters["resets"], state.counters["holds"]) == (1, 1)
    assert state.counters["leases"] == 2
    assert state.lease_holder is None


def test_hold_ends_the_demo(serve: Callable[..., Served], run: Control, policy_file: str) -> None:
    served = serve(policy_file, demo=True)
    with SkillClient(served.address, timeout_s=10.0) as client:
        state_when(client, lambda state: state.command == "demo")
        assert run("--address", served.address, "hold").code == 0
        client.hello()
        assert client.state().mode == "hold"


def test_stop_latches_and_clear_ends_it(at: Control, client: SkillClient, served: Served) -> None:
    clear = f"skill-control clear --address {served.address}"
    code, out, _ = at("stop", "the", "cat", "is", "on", "the", "table")
    assert (code, out) == (0, f"stopped; to enable motion: {clear}\n")
    assert client.state().mode == "stopped"
    code, _, err = at("skill", "1", "0", "--for", "1")
    assert code == 1
    assert "the cat is on the table" in err
    assert err.endswith(f"then run: {clear}, and repeat this command\n")
    assert at("clear").out == "cleared; mode hold\n"
    assert at("skill", "1", "0", "--for", "0.3").code == 0


@pytest.fixture
def at_goals(serve: Callable[..., Served], run: Control, goal_file: Path) -> Control:
    """A function like ``at`` for a server whose policy takes only goals."""
    address = serve(goal_file).address
    return lambda *words: run("--address", address, *words)


def test_a_policy_of_goals_runs_towards_goals_and_refuses_skills(at_goals: Control) -> None:
    out = at_goals("hello").out
    assert "skill-control goal 0.15 0.15" in out
    assert "estimates  cube_mass (R2 0.80), cube_table_friction (R2 not measured)\n" in out
    code, out, err = at_goals("goal", "0.1", "-0.1", "--for", "0.8")
    assert (code, err) == (0, "")
    assert "estimate: mass " in out
    assert " kg, friction " in out
    for words in (("skill", "1", "0"), ("skill",)):
        code, out, err = at_goals(*words)
        assert (code, out) == (1, "")
        assert "push_to_goal takes no skills. Fix: send a goal, e.g. skill-control goal" in err
        assert "skill-control goal 0.15 0.15 --address tcp://" in err


def test_unidentified_quantities_are_listed(
    client: SkillClient, make_manifest: Callable[..., PolicyManifest]
) -> None:
    context = {
        "size": 2,
        "estimates": [{"name": "cube_mass", "unit": "kg", "log_r2": 0.86}],
        "unidentified": [{"name": "cube_table_friction", "unit": "1", "log_r2": 0.031}],
    }

    def text(context: object) -> str:
        manifest = make_manifest(context=context)
        welcome = client.hello().model_copy(update={"manifest": manifest})
        return welcome_text(welcome, client.address)

    expected = "estimates  cube_mass (R2 0.86); not estimated: cube_table_friction (R2 0.03)\n"
    assert expected in text(context)
    assert "\nestimates  not estimated: cube_table_friction" in text(context | {"estimates": []})
    assert "estimate" not in text(None)


def test_watch_prints_the_estimates_of_the_policy(
    serve: Callable[..., Served], run: Control, goal_file: Path
) -> None:
    address = serve(goal_file, demo=True).address
    with SkillClient(address, timeout_s=10.0) as client:
        state_when(client, lambda state: state.context_distance is not None)
    code, out, _ = run("--address", address, "watch", "--count", "2")
    assert code == 0
    for line in out.splitlines():
        assert re.search(r"goal +by demo .* estimate: mass \S+ kg, .* distance \d", line)


def test_a_policy_of_skills_refuses_goals_with_an_example_of_a_skill(
    serve: Callable[..., Served],
    run: Control,
    make_policy_file: Callable[..., Path],
    tmp_path: Path,
) -> None:
    graph = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[batch,28] observation, float[batch,2] skill) => (float[batch,3] action)
        <int64[2] pads = {0, 0}, int64[4] wide = {0, 0, 0, 1}>
        { action = Pad (skill, wide) }"""
    )
    address = serve(make_policy_file(tmp_path, model=graph, goal=None)).address
    code, _, err = run("--address", address, "goal", "0", "0")
    assert code == 1
    example = f"skill-control skill 1 0 --address {address}"
    assert err == f"skill-control: push_by_hand takes no goals. Fix: send a skill, e.g. {example}\n"


# The reason of a stop -----------------------------------------------------------------------------


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with StandIn("arm") as arm:
        yield arm


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("",),
        ("y" * 300,),
        ("y" * 100_000,),
        ("--reason", "a cat"),
        ("-1",),
        ("-x", "--help", "me"),
        ("--", "--help"),
        ("stop", "stop"),
        ("\udcff\udc80",),
        ("\x1b[2J\u202e\u2028\x9b",),
        ("a\nb",),
        ("--for=3", "--json", "[]", "{}", "'", '"'),
    ],
    ids=lambda words: repr(" ".join(words))[:20],
)
def test_no_reason_prevents_a_stop(run: Control, stand_in: StandIn, words: tuple[str, ...]) -> None:
    code, out, err = run("--address", stand_in.address, "stop", *words)
    assert (code, err) == (0, "")
    assert out.startswith("stopped; to enable motion: skill-control clear")
    assert stand_in.mode == "stopped"
    reason = stand_in.stops[-1].reason
    assert reason.isprintable()
    assert 0 < len(reason) <= 256


def test_a_stop_in_a_process_takes_any_bytes(stand_in: StandIn) -> None:
    words = [b"stop", b"\xff\xfe", b"--no-flag", b"x" * 10_000]
    command = [sys.executable, "-m", "skill_runtime.cli.control", "--address", stand_in.address]
    done = subprocess.run([*map(os.fsencode, command), *words], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert stand_in.mode == "stopped"


@pytest.mark.parametrize(
    ("words", "address", "stop_address", "reason"),
    [
        (("stop",), DEFAULT_ADDRESS, None, ()),
        (("stop", "--address", "tcp://a:1", "it"), "tcp://a:1", None, ("it",)),
        (("stop", "it", "--address=tcp://a:1"), "tcp://a:1", None, ("it",)),
        (
            ("--stop-address", "tcp://b:2", "--address", "tcp://a:1", "stop"),
            "tcp://a:1",
            "tcp://b:2",
            (),
        ),
        (("stop", "--", "--help"), DEFAULT_ADDRESS, None, ("--help",)),
        (("stop", "--address"), DEFAULT_ADDRESS, None, ("--address",)),
    ],
)
def test_the_addresses_of_a_stop_are_read(
    words: tuple[str, ...], address: str, stop_address: str | None, reason: tuple[str, ...]
) -> None:
    options = control.read_stop(words)
    assert options is not None
    assert (options.address, options.stop_address) == (address, stop_address)
    assert isinstance(options.command, StopSubcommand)
    assert options.command.reason == reason


@pytest.mark.parametrize(
    "words", [(), ("hello",), ("skill", "1", "stop"), ("stop", "--help"), ("stop", "-h")]
)
def test_any_other_command_line_is_not_a_stop(words: tuple[str, ...]) -> None:
    assert control.read_stop(words) is None


# Whose server -------------------------------------------------------------------------------------


def test_the_sockets_of_another_arm_are_not_mistaken(run: Control, stand_in: StandIn) -> None:
    named = (stand_in.telemetry_address, stand_in.stop_address)
    with StandIn("meant", named=named) as meant:
        code, out, err = run("--address", meant.address, "stop")
        assert (code, out) == (1, "")
        assert "the arm is not stopped" in err
        assert "--stop-address ADDRESS" in err
        code, out, err = run("--address", meant.address, "watch", "--count", "1")
        assert (code, out) == (1, "")
        assert "--telemetry-address ADDRESS" in err
        at = ("--address", meant.address)
        own = ("--telemetry-address", meant.telemetry_address)
        assert run(*at, *own, "watch", "--count", "1").code == 0
        assert run(*at, "--stop-address", meant.stop_address, "stop").code == 0
        assert (meant.mode, stand_in.mode) == ("stopped", "hold")


def test_a_server_that_was_replaced_ends_a_watch(stand_in: StandIn) -> None:
    process = start("--address", stand_in.address, "watch")
    assert process.stdout is not None
    process.stdout.readline()
    stand_in.close()
    with StandIn("second", ports=stand_in.ports):
        code, _, err = finish(process)
    assert code == 1
    assert "another server answers" in err
    assert "run this command again" in err


def test_the_instance_is_printed(run: Control, stand_in: StandIn) -> None:
    assert "\ninstance   arm\n" in run("--address", stand_in.address, "hello").out
    out = run("--address", stand_in.address, "watch", "--json", "--count", "1").out
    assert json.loads(out)["instance"] == "arm"


# Texts from the wire ------------------------------------------------------------------------------

HOSTILE = "\x1b[2J\x9b\u202e\u2028\nforged"


def test_texts_from_the_wire_are_escaped(run: Control, stand_in: StandIn) -> None:
    state = stand_in.state
    stand_in.state = lambda: state().model_copy(  # type: ignore[method-assign]
        update={"last_event": HOSTILE, "lease_holder": HOSTILE, "counters": {HOSTILE: next(count)}}
    )
    count = itertools.count()
    at = ("--address", stand_in.address)
    for words in (("watch", "--count", "3"), ("watch", "--json", "--count", "3")):
        code, out, _ = run(*at, *words)
        assert code == 0
        assert len(out.splitlines()) == 3  # which also splits at U+2028
        assert all(line.isprintable() for line in out.splitlines())
    assert json.loads(out.splitlines()[-1])["last_event"] == HOSTILE
    stand_in.override = lambda message: stand_in.error("not_now", HOSTILE, HOSTILE)
    code, _, err = run(*at, "clear")
    assert code == 1
    assert err.endswith("\n")
    assert err[:-1].isprintable()


def test_watch_prints_the_progress_towards_a_goal(run: Control, stand_in: StandIn) -> None:
    state = stand_in.state
    progress = {"goal": (0.1, 0.1), "goal_distance": 0.0123, "goal_status": "no_progress"}
    stand_in.state = lambda: state().model_copy(update=progress)  # type: ignore[method-assign]
    out = run("--address", stand_in.address, "watch", "--count", "1").out
    assert out.endswith("  goal: no progress, 0.012 away\n")


# Errors -------------------------------------------------------------------------------------------


def test_no_server_names_the_command_that_starts_one(run: Control) -> None:
    code, out, err = run("--address", "tcp://127.0.0.1:1", "hello")
    assert (code, out) == (1, "")
    assert "skill-serve --model" in err
    assert "tcp://127.0.0.1:1" in err


def test_a_malformed_address_is_explained(run: Control) -> None:
    code, _, err = run("--address", "nonsense", "hello")
    assert code != 0
    assert "tcp://HOST:PORT" in err


def test_the_holder_of_the_lease_is_named(at: Control, client: SkillClient) -> None:
    with client.acquire("the other one"):
        for words in (("skill", "1", "0"), ("reset",), ("hold",)):
            code, _, err = at(*words)
            assert code == 1
            assert "'the other one' holds the lease" in err


def test_a_priority_takes_the_lease_over(at: Control, client: SkillClient) -> None:
    with client.acquire("the other one"):
        assert at("hold", "--priority", "1").code == 0
        with pytest.raises(LeaseLostError, match="took it over, with priority 1"):
            client.hold()
    assert at("skill", "1", "0", "--for", "0.2", "--priority", "9").code == 0


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("skill", "1", "0", "0"), "skill has 3 entries, policy 'push_by_hand' takes 2"),
        (("skill",), "2 numbers"),
        (("skill", "0", "0"), "no direction"),
        (("skill", "nan", "0"), "finite"),
        (("skill", "1", "inf"), "finite"),
        (("goal", "1", "0"), "outside -0.15 to 0.15"),
        (("goal", "0"), "takes 2"),
        (("goal",), "2 numbers"),
        (("joints",), "7 numbers"),
        (("pose", "0", "0", "5"), "outside"),
        (("joints", "0", "0"), "takes 7"),
        (("skill", "1", "0", "--gripper-width", "0.5"), "gripper_width"),
        (("skill", "1", "0", "--for", "-1"), "--for takes a positive number of seconds, got -1"),
        (("scene",), "--mass"),
        (("scene", "--mass", "-1"), "greater than or equal to 0.001"),
        (("scene", "--friction", "99"), "less than or equal to 10"),
        (("reset", "--seed", "-1"), "seed"),
        (("hold", "--priority", "10"), "--priority takes a number from 0 to 9, got 10"),
        (("watch", "--count", "-1"), "--count takes a number of lines"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_impossible_commands_are_explained(
    at: Control, client: SkillClient, words: tuple[str, ...], text: str
) -> None:
    code, out, err = at(*words)
    assert code == 2
    assert text in err
    assert "Traceback" not in out + err
    state = client.state()
    assert (state.mode, state.command_seq, state.lease_holder) == ("hold", 0, None)


@pytest.mark.parametrize(
    "words",
    [(), ("teleport",), ("pose", "1", "2"), ("skill", "a", "b"), ("scene", "--weight", "1")],
    ids=lambda words: " ".join(words) or "empty",
)
def test_malformed_command_lines_point_to_the_help(run: Control, words: tuple[str, ...]) -> None:
    code, out, err = run(*words)
    assert code == 2
    assert "--help" in out + err


# As a process -------------------------------------------------------------------------------------


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "skill_runtime.cli.control", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"},
    )


def finish(process: subprocess.Popen[str]) -> Outcome:
    out, err = process.communicate(timeout=DEADLINE_S)
    return Outcome(process.returncode, out, err)


def running_skill(client: SkillClient) -> subprocess.Popen[str]:
    """Returns a process that runs ``skill 1 0``."""
    process = start("--address", client.address, "skill", "1", "0")
    state_when(client, lambda state: state.mode == "skill")
    return process


def test_a_wrong_address_is_a_mistake(run: Control) -> None:
    code, _, error = run("--address", "foo", "clear")
    assert (code, "'foo' is not an address" in error) == (2, True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_releases_the_lease(
    client: SkillClient, number: signal.Signals
) -> None:
    process = running_skill(client)
    process.send_signal(number)
    code, out, err = finish(process)
    assert (code, err) == (0, "")
    assert "the arm holds" in out
    state = state_when(client, lambda state: state.lease_holder is None)
    assert state.mode == "hold"
    assert "lease_lost" not in state.counters


def test_after_kill_9_the_arm_holds_and_the_lease_expires(client: SkillClient) -> None:
    process = running_skill(client)
    process.kill()
    finish(process)
    state = state_when(client, lambda state: state.lease_holder is None)
    assert state.mode == "hold"
    assert state.counters["lease_lost"] == 1
    state_when(client, lambda state: max(abs(v or 0) for v in state.joint_velocity) < 0.01)
    with client.acquire("the next one"):
        client.skill([0, 1])


def test_a_suspended_process_loses_the_lease_and_reports_it(client: SkillClient) -> None:
    process = running_skill(client)
    process.send_signal(signal.SIGSTOP)
    state_when(client, lambda state: state.lease_holder is None)
    process.send_signal(signal.SIGCONT)
    code, _, err = finish(process)
    assert code == 1
    assert "lease" in err
    assert "Traceback" not in err


def test_the_reason_of_a_stop_is_printed(client: SkillClient) -> None:
    process = running_skill(client)
    client.stop("enough")
    code, _, err = finish(process)
    assert code == 1
    assert "enough" in err


def test_it_continues_after_a_tracker_fault(
    serve: Callable[..., Served], policy_file: Path
) -> None:
    address = serve(policy_file, track=TrackConfig(objects=("cube",))).address
    with SkillClient(address, timeout_s=10.0) as client, tracking(address) as sends:
        process = running_skill(client)
        sends.clear()
        # Refusals for more than a second, since the status line is logged once per second.
        state_when(client, lambda state: state.counters.get("rejected.not_now", 0) > 12)
        assert client.state().fault == "tracker"
        sends.set()
        state_when(client, lambda state: state.mode == "skill" and moves(state))
        process.send_signal(signal.SIGINT)
        code, out, err = finish(process)
        assert (code, err) == (0, "")
        assert "fault tracker  lease " in out
        counters = client.state().counters
        assert (counters["leases"], counters.get("clears", 0)) == (1, 0)


def moves(state: Telemetry) -> bool:
    return max(abs(v or 0) for v in state.joint_velocity) > 0.05


def test_clear_is_advised_only_if_it_is_necessary(
    serve: Callable[..., Served], run: Control, policy_file: Path
) -> None:
    address = serve(policy_file, track=TrackConfig(objects=("cube",))).address
    with SkillClient(address, timeout_s=10.0) as client:
        with tracking(address):
            state_when(client, lambda state: not state.awaited_objects)
        with client.acquire("me", ttl_s=30):
            client.skill([1, 0], valid_for_s=30.0)
            state = state_when(client, lambda state: state.fault == "tracker")
            assert state_line(state).startswith("fault tracker  lease 'me'")
            code, _, err = run("--address", address, "hold", "--priority", "1")
            assert code == 1
            assert "send the command again then" in err
            assert "skill-control clear" not in err
        client.stop("enough")
        code, _, err = run("--address", address, "hold")
        assert code == 1
        assert f"then run: skill-control clear --address {address}, and repeat" in err


def test_a_closed_pipe_is_no_error(client: SkillClient) -> None:
    process = start("--address", client.address, "watch")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(DEADLINE_S) == 0


def test_it_starts_without_the_libraries_of_the_server() -> None:
    code = "import sys, skill_runtime.cli.control; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"mujoco", "onnxruntime", "torch"} & set(done.stdout.split())
